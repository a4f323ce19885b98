/* A browser, a way to make runs, and pages whose console must stay silent. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";

export const SERVER = process.env.MAINSPRING_URL;
export const KEY = process.env.MAINSPRING_SECRET_KEY;
const TIMEOUT_MS = 20_000;
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** The columns of a row of the waterfall run together in the text that this one compares. */
const RULES = { "label-content-name-mismatch": { enabled: false } };
/** A folder for a picture of every page, and one for the page of every test as it ended. */
const PICTURES = process.env.MAINSPRING_PICTURES;
const SHOTS = process.env.MAINSPRING_SCREENSHOTS;
let browser;

before(async () => {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: process.getuid() === 0 ? ["--no-sandbox"] : [],
  });
});
after(() => browser?.close());

let common;
async function entered(looks) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: "reduce", ...looks });
  context.setDefaultTimeout(TIMEOUT_MS);
  if (process.env.SIGNED_IN) await context.request.post(`${SERVER}/api/mainspring/v1/session`, { data: { token: KEY }, headers: { origin: new URL(SERVER).origin } });
  return context;
}

/** A test with a page of its own; one that changes nothing for others shares the browser's memory with
 * them. `loud`: what the console may say, as when the server is away. `once`: it is the same on the
 * other database, and is not done again there. */
export function it(name, body, { loud = null, once = false, ...looks } = {}) {
  if (once && process.env.SIGNED_IN) return;
  test(name, { timeout: 120_000 }, async () => {
    const alone = body.length > 1 || Object.keys(looks).length > 0;
    const context = alone ? await entered(looks) : await (common ??= entered({}));
    const page = await context.newPage();
    const told = [];
    page.on("console", (message) => told.push(message.text()));
    page.on("pageerror", (error) => told.push(String(error)));
    try {
      await body(page, context);
      assert.deepEqual(told.filter((text) => !loud?.test(text)), []);
    } catch (error) {
      const text = await page.locator("body").innerText().catch(() => "");
      error.stack += `\n  console: ${told.join("; ")}\n  page: ${page.url()}\n${text.slice(0, 1500)}`;
      throw error;
    } finally {
      if (SHOTS) await page.screenshot({ path: `${SHOTS}/${name.replaceAll(/\W+/g, "-")}.png` }).catch(() => {});
      await page.unrouteAll({ behavior: "ignoreErrors" });
      await (alone ? context : page).close();
    }
  });
}

export async function api(method, path, body) {
  const response = await fetch(`${SERVER}${path}`, {
    method,
    headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  assert.ok(response.ok, `${method} ${path}: ${response.status}`);
  return response.json();
}

/** Asks what the pages ask. */
export const call = (type, wanted = {}) => api("POST", "/api/mainspring/v1/call", { type, ...wanted });

/** The id of a new run. */
export const trigger = async (task, payload, options = {}) =>
  (await api("POST", `/api/v1/tasks/${task}/trigger`, { payload, options })).id;

export async function until(id, status) {
  for (let tries = 0; tries < 200; tries++) {
    const run = await api("GET", `/api/v3/runs/${id}`);
    if (run.status === status) return run;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${id} does not become ${status}`);
}

/** A promise that somebody else fulfils. */
function later() {
  let resolve;
  const promise = new Promise((done) => (resolve = done));
  return { promise, resolve };
}

/** The first answer to a call of that type is given before `act`, and arrives when the page has been told
 * that it hears of that topic from now on, which is after it, and has asked once more if it does. */
export async function overtaken(page, context, { type, topic }, act) {
  const [acted, subscribed, again] = [later(), later(), later()];
  let first = true;
  await page.route("**/api/mainspring/v1/call", async (route) => {
    if (route.request().postDataJSON().type !== type) return route.continue();
    if (!first) {
      await route.fulfill({ response: await route.fetch() });
      return again.resolve();
    }
    first = false;
    const early = await route.fetch();
    acted.resolve(await act());
    await subscribed.promise;
    await Promise.race([again.promise, page.evaluate(() => new Promise((done) => setTimeout(done, 1_000)))]);
    return route.fulfill({ response: early }).catch(() => {}); // nobody waits for it any more
  });
  await context.routeWebSocket(/realtime/, (socket) => {
    const server = socket.connectToServer();
    socket.onMessage(async (text) => {
      if (JSON.parse(text).topic === topic) await acted.promise;
      server.send(text);
    });
    server.onMessage((text) => {
      const said = JSON.parse(text);
      if (said.op === "runs") return; // others run, too, and would make it look again
      socket.send(text);
      if (said.op === "subscribed" && said.id.startsWith(`${topic}:`)) subscribed.resolve();
    });
  });
}

export const row = (page, id) => page.getByRole("row").filter({ hasText: id });

/** What axe finds wrong with a page, in both themes; in the second one colours only. With a name both
 * are kept as pictures. */
export async function violations(page, name = "") {
  if (process.env.SIGNED_IN) return []; // the same pages, which were looked at on the other database
  if (!(await page.evaluate(() => "axe" in globalThis))) await page.evaluate(AXE);
  const found = [];
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    if (name && PICTURES) await page.screenshot({ path: `${PICTURES}/${name} ${colorScheme}.png` });
    const told = await page.evaluate(
      ([only, rules]) => globalThis.axe.run(document, { resultTypes: ["violations"], rules, ...(only && { runOnly: only }) }),
      [colorScheme === "dark" ? ["color-contrast"] : null, RULES],
    );
    for (const { id, nodes } of told.violations) found.push(`${id}, ${colorScheme}: ${nodes[0].html.slice(0, 200)}`);
  }
  return found;
}

/** What of a page a keyboard or a screen reader cannot use. */
export async function unusable(page) {
  return page.evaluate(() => {
    const seen = (element) => element.checkVisibility?.() ?? true;
    const name = (element) =>
      element.getAttribute("aria-label") ||
      element.getAttribute("title") ||
      (element.getAttribute("aria-labelledby") && document.getElementById(element.getAttribute("aria-labelledby"))?.textContent) ||
      [...(element.labels ?? [])].map((label) => label.textContent).join("") ||
      element.textContent.trim();
    const found = [];
    for (const element of document.querySelectorAll("button, a[href], input, select, textarea, [role=tab], dialog, nav, section, [role=table], [role=tree]")) {
      if (seen(element) && !name(element)) found.push(`nameless: ${element.outerHTML.slice(0, 120)}`);
    }
    const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
    found.push(...ids.filter((id, index) => ids.indexOf(id) !== index).map((id) => `twice: #${id}`));
    if (document.querySelectorAll("h1").length !== 1) found.push("not one h1");
    if (document.documentElement.scrollWidth > innerWidth) found.push(`wider than the window: ${document.documentElement.scrollWidth}`);
    return found;
  });
}
