/* Runs the suites named by their files, or all beside this one. One process, tests side by side. */

import { readdirSync } from "node:fs";
import { resolve } from "node:path";
import { describe } from "node:test";
import { pathToFileURL } from "node:url";

const AT_ONCE = 6;
const given = process.argv.slice(2);
const here = import.meta.dirname;
const files = given.length
  ? given.map((path) => resolve(path))
  : readdirSync(here)
      .filter((name) => name.endsWith(".suite.mjs"))
      .sort()
      .map((name) => resolve(here, name));

const suites = await Promise.all(files.map((file) => import(pathToFileURL(file).href)));
describe("the official SDK", { concurrency: AT_ONCE }, () => {
  for (const suite of suites) suite.default();
});
