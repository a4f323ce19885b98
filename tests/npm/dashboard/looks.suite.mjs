/* How every page looks, in both themes and on a telephone. */

import assert from "node:assert/strict";
import { it, SERVER, trigger, until, unusable, violations } from "./house.mjs";
import { keep, share, switched } from "./measure.mjs";

export const PAGES = ["Overview", "Runs", "Tasks", "Queues", "Schedules", "Batches", "Approvals", "Tokens", "Errors", "Logs", "Metrics", "Workers", "Deployments", "Variables", "API keys", "Audit log", "Settings"];
/** What the page says of itself that the rail calls so. */
export const headed = (name) => (name === "Variables" ? "Environment variables" : name);
const WIDE = { width: 1280, height: 800 };
const TELEPHONE = { width: 390, height: 800 };
/** Requests that a page may make when one comes to it. */
const REQUESTS = 18;

export default function looks() {
  it("leads through every page by its rail, for everybody, without a word on the console", async (page) => {
    await until(await trigger("greet", { name: "Ada" }), "COMPLETED");
    let sockets = 0;
    const took = [];
    page.on("websocket", () => sockets++);
    await page.goto(`${SERVER}/`);
    await page.getByRole("navigation").getByRole("link", { name: "Overview" }).waitFor();
    for (const name of PAGES) {
      await page.setViewportSize(WIDE);
      let asked = 0;
      const count = (request) => void (asked += request.url().includes("/api/") ? 1 : 0);
      page.on("request", count);
      took.push(await page.evaluate(switched, name));
      await page.getByRole("heading", { level: 1, name: headed(name) }).waitFor();
      await page.locator("main").getByText("Loading…").first().waitFor({ state: "detached" });
      page.off("request", count);
      assert.ok(asked <= REQUESTS, `${name} asked ${asked} times`);
      assert.deepEqual([...(await unusable(page)), ...(await violations(page, name))], [], name);
      await page.setViewportSize(TELEPHONE);
      assert.deepEqual(await unusable(page), [], `${name} on a telephone`);
    }
    keep("pages seen for the first time", { p50_ms: share(took, 0.5), p99_ms: share(took, 0.99) });
    assert.equal(sockets, 1, "a tab has one socket, whatever it shows");
  });
}
