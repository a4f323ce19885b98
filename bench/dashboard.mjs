/* What bench/dashboard.py asks a Chromium to measure; prints one JSON line of figures. */

import { createRequire } from "node:module";
import { inHeading, inList, scrolled, share, switched, until } from "../tests/npm/dashboard/measure.mjs";

const { chromium } = createRequire(new URL("../tests/npm/package.json", import.meta.url))("playwright-core");
const { MAINSPRING_URL: SERVER, MAINSPRING_SECRET_KEY: KEY } = process.env;
const PAGES = ["Overview", "Tasks", "Queues", "Schedules", "Batches", "Approvals", "Tokens", "Errors", "Logs", "Metrics", "Workers", "Deployments", "Runs"];
const [what, ...rest] = process.argv.slice(2);

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: process.getuid() === 0 ? ["--no-sandbox"] : [] });
const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
await context.request.post(`${SERVER}/api/mainspring/v1/session`, { data: { token: KEY }, headers: { origin: SERVER } });
const page = await context.newPage();
async function api(method, path, body) {
  const answer = await fetch(`${SERVER}${path}`, { method, headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json" }, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

/** Every page of the rail three times over, and a run from the list. The first time is not counted: code comes with it. */
async function pages(run) {
  await page.goto(`${SERVER}/runs`);
  await page.getByTestId("rows").getByRole("row").first().waitFor();
  const found = {};
  for (let round = 0; round < 4; round++) {
    for (const name of PAGES) {
      const ms = await page.evaluate(switched, name);
      if (round > 0) (found[name] ??= []).push(ms);
    }
    const ms = await page.evaluate(switched, run);
    if (round > 0) (found["A run"] ??= []).push(ms);
  }
  const all = Object.values(found).flat();
  const slowest = Object.entries(found).map(([name, values]) => [name, share(values, 0.5)]).sort((a, b) => b[1] - a[1]);
  return { p50_ms: share(all, 0.5), p99_ms: share(all, 0.99), slowest: slowest.slice(0, 3).map(([name, ms]) => `${name} ${ms}`).join(", ") };
}

async function spans(run) {
  await page.goto(`${SERVER}/runs/${run}`);
  const tree = page.getByRole("tree");
  await page.getByRole("treeitem").nth(1).waitFor();
  await tree.focus();
  await page.keyboard.press("e");
  await page.getByRole("treeitem").nth(20).waitFor();
  return scrolled(tree, "[role=treeitem]");
}

async function lines(run, count) {
  await page.goto(`${SERVER}/runs/${run}`);
  await page.getByRole("tab", { name: "Logs" }).click();
  const begin = performance.now();
  await page.getByText(`${count} lines`, { exact: true }).waitFor({ state: "attached", timeout: 120_000 });
  const ms = Math.round(performance.now() - begin);
  const found = await scrolled(page.getByRole("log"), "[role=log] time");
  const page_ms = Math.round(await page.evaluate(switched, "Logs"));
  await page.getByRole("list", { name: "Lines" }).getByRole("listitem").nth(40).waitFor();
  await page.getByRole("searchbox", { name: "Find lines" }).fill(`"number":${count - 1}}`);
  const find_ms = Math.round(
    await until(page, (last) => {
      const rows = [...document.querySelectorAll("ol[aria-label=Lines] li")];
      return rows.length > 0 && rows.every((row) => row.textContent.includes(last));
    }, `"number":${count - 1}}`),
  );
  return { ms, ...found, page_ms, find_ms };
}

async function change(count) {
  await page.goto(`${SERVER}/runs`);
  await page.locator("aside").getByText("Live").waitFor();
  const one = await context.newPage();
  const found = { made: [], canceled: [], page: [] };
  for (let round = 0; round < Number(count); round++) {
    const { id } = await api("POST", "/api/v1/tasks/later/trigger", { payload: null, options: { delay: "1h" } });
    found.made.push(await until(page, inList, [id, ""]));
    await one.goto(`${SERVER}/runs/${id}`);
    await one.getByRole("heading", { level: 1 }).getByText("Delayed").waitFor();
    await page.waitForTimeout(1_000);
    await api("POST", `/api/v2/runs/${id}/cancel`);
    const [list, own] = await Promise.all([until(page, inList, [id, "Canceled"]), until(one, inHeading, "Canceled")]);
    found.canceled.push(list);
    found.page.push(own);
  }
  const all = [...found.canceled, ...found.page];
  return { p50_ms: share(all, 0.5), p99_ms: share(all, 0.99), new_p50_ms: share(found.made, 0.5), new_p99_ms: share(found.made, 0.99) };
}

const measures = { pages, spans, lines, change };
console.log(JSON.stringify(await measures[what](...rest)));
await browser.close();
