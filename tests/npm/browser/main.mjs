/* The official hooks in a real Chromium, on a page from another origin than the server. */

import { resolve } from "node:path";
import { after, before, describe } from "node:test";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";
import { URL_OF_SERVER } from "../node/harness.mjs";
import { Visitor } from "./driver.mjs";
import { serve } from "./site.mjs";

const AT_ONCE = 3;
const file = process.argv[2] ?? "browser/hooks.suite.mjs";
const { default: suite } = await import(pathToFileURL(resolve(file)).href);

describe("the official hooks", { concurrency: AT_ONCE }, () => {
  const visitor = new Visitor();
  let site;

  before(async () => {
    [site, visitor.browser] = await Promise.all([
      serve(),
      chromium.launch({
        executablePath: process.env.CHROMIUM,
        args: process.getuid() === 0 ? ["--no-sandbox"] : [],
      }),
    ]);
    visitor.site = site.url;
    visitor.server = URL_OF_SERVER;
  });

  after(async () => {
    await visitor.browser?.close();
    site?.close();
  });

  suite(visitor);
});
