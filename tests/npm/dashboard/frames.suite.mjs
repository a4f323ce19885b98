/* Pages stay light and quick with much in them. */

import assert from "node:assert/strict";
import { it, SERVER, trigger, until } from "./house.mjs";
import { keep, scrolled, work } from "./measure.mjs";

/** One after the other: frames by the clock are told of a browser that draws only them. */
export const ALONE = true;
/** Rows that may be in the page at once. */
const ROWS = 120;
/** Frames that a figure is taken of, each way. */
const FRAMES = 60;
/** What a frame may take where there are to be 50 a second. */
const FRAME_MS = 20;

export default function frames() {
  it("holds few rows of a waterfall of 10,000 spans, and draws 50 frames of it a second", async (page) => {
    const id = await trigger("echo", { value: 1 });
    await until(id, "COMPLETED");
    await page.route("**/api/mainspring/v1/call", async (route) => {
      if (route.request().postDataJSON().type !== "trace") return route.continue();
      const trace = await (await route.fetch()).json();
      const [run] = trace.spans;
      const steps = Array.from({ length: 10_000 }, (_, n) => ({ ...run, id: `s${n}`, kind: "step", message: `step ${n}`, parent_id: run.id, key: `step ${n}`, status: null }));
      return route.fulfill({ json: { ...trace, spans: [run, ...steps] } });
    });
    await page.goto(`${SERVER}/runs/${id}`);
    const rows = page.getByRole("treeitem");
    await rows.nth(10).waitFor();
    const tree = page.getByRole("tree");
    assert.ok((await tree.evaluate((element) => element.scrollHeight)) > 10_000 * 28);
    const [figures, p95_work_ms] = [await scrolled(tree, "[role=treeitem]", FRAMES), await work(page, tree, FRAME_MS)];
    keep("10,000 spans scrolled", { ...figures, p95_work_ms });
    assert.ok(p95_work_ms < FRAME_MS, `a frame takes ${p95_work_ms} ms of work`);
    await tree.evaluate((element) => element.scrollTo(0, element.scrollHeight));
    await page.getByRole("treeitem", { name: "step step 9999" }).waitFor();
    assert.ok((await rows.count()) < ROWS, `${await rows.count()} rows`);
  });

  it("holds few of 100,000 log lines, and finds one that is not shown", async (page, context) => {
    const id = await trigger("echo", { value: 1 });
    await until(id, "COMPLETED");
    await context.routeWebSocket(/realtime/, (socket) => {
      socket.onMessage((text) => {
        const said = JSON.parse(text);
        if (said.op !== "subscribe" || said.topic !== "logs") return;
        for (let first = 1; first < 100_000; first += 10_000) {
          const lines = Array.from({ length: 10_000 }, (_, n) => ({ seq: first + n, time: "2026-01-02T03:04:05.678Z", level: "INFO", message: `line ${first + n}` }));
          socket.send(JSON.stringify({ op: "lines", id: said.id, offset: String(first), lines }));
        }
      });
    });
    await page.goto(`${SERVER}/runs/${id}?tab=logs`);
    const began = performance.now();
    await page.getByText("line 100000", { exact: true }).waitFor();
    const ms = Math.round(performance.now() - began);
    const log = page.getByRole("log");
    keep("100,000 lines scrolled", { ms, ...(await scrolled(log, "[role=log] time", FRAMES)) });
    assert.ok((await log.locator("time").count()) < ROWS);
    await page.getByRole("searchbox", { name: "Find in the log" }).fill("line 4711");
    await page.getByText("line 4711", { exact: true }).waitFor();
  });
}
