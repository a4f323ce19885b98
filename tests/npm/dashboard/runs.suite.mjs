/* The list of runs. */

import assert from "node:assert/strict";
import { api, call, it, overtaken, row, SERVER, trigger, until, unusable } from "./house.mjs";
import { inList, keep, until as seen } from "./measure.mjs";

/** How many runs match. */
async function counted(filter) {
  let [count, after] = [0, null];
  do {
    const found = await call("list", { filter: { ...filter, limit: 100, ...(after && { after }) } });
    count += found.runs.length;
    after = found.next;
  } while (after);
  return count;
}

export default function runs() {
  it("lists runs and shows how they go on", async (page) => {
    await page.goto(`${SERVER}/runs`);
    await page.locator("aside").getByText("Live").waitFor();
    const id = await trigger("forever");
    await row(page, id).getByText("Executing").waitFor();
    await api("POST", `/api/v2/runs/${id}/cancel`);
    keep("a run's change in the list", { ms: Math.round(await seen(page, inList, [id, "Canceled"])) });
    assert.deepEqual(await unusable(page), []);
  });

  it("shows an end that comes before the first answer that is on its way", async (page, context) => {
    const id = await trigger("forever");
    await until(id, "EXECUTING");
    await overtaken(page, context, { type: "list", topic: "list" }, async () => {
      await api("POST", `/api/v2/runs/${id}/cancel`);
      await until(id, "CANCELED");
    });
    await page.goto(`${SERVER}/runs?task=forever`);
    await row(page, id).getByText("Canceled").waitFor();
  });

  it("keeps its filter in the address", async (page) => {
    const failed = await trigger("fail", { reason: "no" }, { tags: ["chips"] });
    const fine = await trigger("echo", { value: 1 }, { tags: ["chips"] });
    await until(failed, "FAILED");
    await until(fine, "COMPLETED");
    await page.goto(`${SERVER}/runs?tag=chips`);
    await row(page, fine).waitFor();
    await page.keyboard.press("f");
    await page.getByRole("button", { name: "status" }).click();
    await page.getByRole("menuitemcheckbox", { name: "Failed" }).click();
    await row(page, fine).waitFor({ state: "detached" });
    await row(page, failed).waitFor();
    const said = new URL(page.url()).searchParams;
    assert.deepEqual([said.get("status"), said.get("tag")], ["failed", "chips"]);
    await page.getByRole("button", { name: "Columns" }).click();
    await page.getByRole("menuitemcheckbox", { name: "Tags" }).click();
    await page.getByRole("menuitemcheckbox", { name: "Queue" }).click();
    await page.keyboard.press("Escape");
    await row(page, failed).getByText("task/fail").waitFor();
    await page.getByRole("button", { name: "Views" }).click();
    await page.getByLabel("Name of the view").fill("broken chips");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("button", { name: "broken chips" }).waitFor();
    await page.reload();
    await row(page, failed).waitFor();
    await page.getByRole("button", { name: "Remove the filter status" }).click();
    await row(page, fine).waitFor();
    assert.equal(new URL(page.url()).search, "?tag=chips&columns=run,queue,tries,duration,created");
    assert.equal(await page.getByRole("columnheader", { name: "Tags" }).count(), 0);
    await page.getByRole("button", { name: "Columns" }).click();
    await page.getByRole("button", { name: "The usual ones" }).click();
    await page.getByRole("columnheader", { name: "Tags" }).waitFor();
    await page.getByRole("button", { name: "Views" }).click();
    await page.getByRole("menuitemcheckbox", { name: "broken chips" }).click();
    await row(page, fine).waitFor({ state: "detached" });
  });

  it("does not jump: what is new is counted until one looks at it", async (page) => {
    const many = Array.from({ length: 60 }, (_, index) => ({ task: "echo", payload: { value: index }, options: { tags: ["many"] } }));
    await api("POST", "/api/v2/tasks/batch", { items: many });
    await page.goto(`${SERVER}/runs?tag=many`);
    const rows = page.getByTestId("rows");
    await rows.getByRole("row").first().waitFor();
    await rows.evaluate((element) => element.scrollTo(0, 400));
    const id = await trigger("echo", { value: "new" }, { tags: ["many"] });
    await page.getByRole("button", { name: "1 new" }).click();
    await row(page, id).waitFor();
    assert.equal(await rows.evaluate((element) => element.scrollTop), 0);
  });

  it("does to all that match what is asked", async (page) => {
    const items = Array.from({ length: 3 }, () => ({ task: "echo", options: { tags: ["bulk"], delay: "1h" } }));
    const made = await api("POST", "/api/v2/tasks/batch", { items });
    await page.goto(`${SERVER}/runs?tag=bulk&status=delayed`);
    await page.getByRole("checkbox", { name: `Select ${made.runs[0].id}` }).check();
    await page.getByRole("button", { name: "Select all that match" }).click();
    await page.getByRole("button", { name: "Cancel runs" }).click();
    await page.getByRole("button", { name: "Cancel them" }).click();
    await page.getByText("Canceled 3 runs").waitFor();
    for (const { id } of made.runs) await until(id, "CANCELED");
  });

  it("stops what it does to many, and leaves what is done", async (page) => {
    const MANY = 2_000;
    await api("POST", "/api/v1/queues/stacked/pause", { type: "task", action: "pause" });
    const items = Array.from({ length: 500 }, () => ({ task: "stacked", options: { tags: ["stack"] } }));
    for (let made = 0; made < MANY; made += items.length) await api("POST", "/api/v2/tasks/batch", { items });
    const filter = { tag: ["stack"] };
    // several take turns, so that each goes on long enough to be stopped by a person
    const begin = async (name) => Promise.all(Array.from({ length: 9 }, (_, n) => call("start_bulk", { kind: "replay", name: `${name} ${n + 1}`, filter })));
    const end = (begun) => Promise.all(begun.map((bulk) => call("abort_bulk", { bulk_id: bulk.id })));
    await page.goto(`${SERVER}/batches`);
    const first = await begin("replay");
    await page.getByRole("button", { name: "Stop replay 1" }).click();
    await row(page, "replay 1").getByText("aborted").waitFor();
    await end(first);
    const replayed = await call("get_bulk", { bulk_id: first[0].id });
    assert.ok(replayed.status === "aborted" && replayed.success > 0 && replayed.success < MANY, JSON.stringify(replayed));
    assert.equal(await counted({ bulk: [replayed.id] }), replayed.success);

    await page.goto(`${SERVER}/runs?tag=stack`);
    await page.getByRole("checkbox", { name: /^Select run_/ }).first().check();
    await page.getByRole("button", { name: "Select all that match" }).click();
    await page.getByRole("button", { name: "Cancel runs" }).click();
    const others = await begin("another");
    await page.getByRole("button", { name: "Cancel them" }).click();
    await page.getByText(/^Canceled [1-9]\d* so far/).waitFor();
    await page.getByRole("button", { name: "Stop", exact: true }).click();
    const told = await page.getByText(/^Stopped after \d+ runs/).innerText();
    await end(others);
    const canceled = Number(told.match(/\d+/)[0]);
    const { bulks } = await call("bulks", { limit: 50 });
    assert.ok(bulks.some((bulk) => bulk.kind === "cancel" && bulk.status === "aborted" && bulk.success === canceled), told);
    assert.equal(await counted({ ...filter, status: ["canceled"] }), canceled);
  });

  it("replays chosen runs", async (page) => {
    const id = await trigger("echo", { value: 1 }, { tags: ["again"] });
    await until(id, "COMPLETED");
    await page.goto(`${SERVER}/runs?tag=again`);
    await page.getByRole("checkbox", { name: `Select ${id}` }).check();
    await page.getByRole("button", { name: "Replay", exact: true }).click();
    await page.getByRole("button", { name: "Replay them" }).click();
    await page.getByText("Replayed 1 run").waitFor();
    await page.getByTestId("rows").getByRole("row").nth(1).waitFor();
  });

  it("does to one run what its row offers, by mouse and by keys", async (page, context) => {
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    const id = await trigger("echo", { value: 1 }, { tags: ["row"], delay: "1h" });
    await page.goto(`${SERVER}/runs?tag=row`);
    await row(page, id).hover();
    await row(page, id).getByRole("button", { name: "Cancel this run" }).click();
    await page.getByRole("button", { name: "Cancel it" }).click();
    await row(page, id).getByText("Canceled").waitFor();
    await page.keyboard.press("j");
    await page.keyboard.press("y");
    await page.getByText("Copied the id.").waitFor();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), id);
    await page.keyboard.press("r");
    await page.getByRole("button", { name: "Replay it" }).press("Enter");
    await page.getByText("Replayed as").waitFor();
    await page.getByTestId("rows").getByRole("row").nth(1).waitFor();
    await row(page, id).getByRole("link", { name: "echo" }).focus();
    await page.keyboard.press("Tab");
    assert.match(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), /^Replay this run/);
    assert.deepEqual(await unusable(page), []);
  });

  it("can be used by keys alone", async (page) => {
    const ids = [await trigger("echo", { value: 1 }, { tags: ["keys"] }), await trigger("echo", { value: 2 }, { tags: ["keys"] })];
    await page.goto(`${SERVER}/runs?tag=keys`);
    await row(page, ids[0]).waitFor();
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keys" }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.keyboard.press("j");
    await page.keyboard.press("x");
    await page.getByText("1 selected").waitFor();
    await page.keyboard.press("Escape");
    await page.getByText("1 selected").waitFor({ state: "detached" });
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    await page.waitForURL(`**/runs/${ids[0]}`);
  });

  it("stays with the run that was chosen when others come above it", async (page, context) => {
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    const later = { tags: ["cursor"], delay: "1h" };
    const [below, chosen] = [await trigger("echo", { value: 1 }, later), await trigger("echo", { value: 2 }, later)];
    await page.goto(`${SERVER}/runs?tag=cursor&status=delayed`);
    await row(page, below).waitFor();
    await page.keyboard.press("j");
    await row(page, await trigger("echo", { value: 3 }, later)).waitFor();
    await page.keyboard.press("y");
    await page.getByText("Copied the id.").waitFor();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), chosen);
    await page.keyboard.press("c");
    await page.getByRole("dialog", { name: "Cancel this run" }).getByText(chosen).waitFor();
    await page.getByRole("button", { name: "Cancel it" }).click();
    assert.equal((await until(chosen, "CANCELED")).id, chosen);
    await row(page, chosen).getByText("Canceled").waitFor();
    await page.keyboard.press("j");
    await page.keyboard.press("x");
    await page.getByRole("checkbox", { name: `Select ${below}`, checked: true }).waitFor();
  });

  it("chooses nothing in place of a run that has left the list", async (page) => {
    const options = { tags: ["left"], delay: "1h" };
    const gone = await trigger("echo", { value: 1 }, options);
    await page.goto(`${SERVER}/runs?tag=left`);
    await row(page, gone).waitFor();
    await page.keyboard.press("j");
    const items = Array.from({ length: 100 }, (_, value) => ({ task: "echo", payload: { value }, options }));
    await api("POST", "/api/v2/tasks/batch", { items });
    await row(page, gone).waitFor({ state: "detached" });
    await page.keyboard.press("x");
    await page.keyboard.press("c");
    assert.equal(await page.getByRole("dialog").count(), 0);
    await page.keyboard.press("j");
    await page.keyboard.press("x");
    await page.getByText("1 selected").waitFor();
  });

  it("takes a key that comes as soon as a dialog has closed", async (page) => {
    const id = await trigger("echo", { value: 1 }, { tags: ["shut"] });
    await page.goto(`${SERVER}/runs?tag=shut`);
    await row(page, id).waitFor();
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keys" }).waitFor();
    await page.evaluate(() => {
      const within = document.activeElement;
      document.querySelector("dialog").close(); // it is told of that later, and has the focus till then
      within.dispatchEvent(new KeyboardEvent("keydown", { key: "j", bubbles: true, cancelable: true }));
    });
    await page.keyboard.press("x");
    await page.getByText("1 selected").waitFor();
  });

  it("leaves Enter to the button and the link that have the focus", async (page) => {
    const id = await trigger("echo", { value: 1 }, { tags: ["enter"] });
    await page.goto(`${SERVER}/runs?tag=enter`);
    await row(page, id).waitFor();
    await page.keyboard.press("j");
    await page.getByRole("button", { name: "Views" }).press("Enter");
    await page.getByLabel("Name of the view").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("link", { name: "Tasks" }).press("Enter");
    await page.waitForURL("**/tasks");
  });

  it("fits a telephone, in the dark too", async (page) => {
    const id = await trigger("greet", { name: "Ada" }, { tags: ["narrow"] });
    await page.goto(`${SERVER}/runs?tag=narrow`);
    await page.getByRole("link", { name: "greet" }).waitFor();
    assert.deepEqual(await unusable(page), []);
    await page.getByRole("button", { name: "Menu" }).click();
    assert.deepEqual(await unusable(page), []);
    const dark = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    await page.getByRole("button", { name: "Light theme" }).click();
    const light = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    assert.notEqual(dark, light);
    await page.goto(`${SERVER}/runs/${id}`);
    await page.getByRole("tab", { name: "Logs" }).click();
    await page.getByText("greeting").waitFor();
    assert.equal(await page.locator("html").getAttribute("data-theme"), "light");
    assert.deepEqual(await unusable(page), []);
  }, { once: true, viewport: { width: 390, height: 800 }, colorScheme: "dark" });

  it("says when it is offline, and goes on afterwards where it was", async (page, context) => {
    const id = await trigger("forever", null, { tags: ["away"] });
    await page.goto(`${SERVER}/runs?tag=away`);
    await row(page, id).getByText("Executing").waitFor();
    let away = false;
    const sockets = [];
    await context.routeWebSocket(/realtime/, (socket) => {
      if (away) return socket.close();
      socket.connectToServer();
      sockets.push(socket);
    });
    await page.reload();
    await page.locator("aside").getByText("Live").waitFor();
    away = true;
    for (const socket of sockets) await socket.close();
    await page.locator("aside").getByText("Offline").waitFor();
    await api("POST", `/api/v2/runs/${id}/cancel`);
    await until(id, "CANCELED");
    away = false;
    await page.locator("aside").getByText("Live").waitFor();
    await row(page, id).getByText("Canceled").waitFor();
    away = true;
    for (const socket of sockets) await socket.close();
    await page.locator("aside").getByText("Offline").waitFor();
    await context.setOffline(true);
    await page.getByRole("link", { name: "Deployments" }).click();
    await page.getByRole("alert").getByText("the server does not answer").waitFor();
    assert.deepEqual(await unusable(page), []);
    await context.setOffline(false);
    away = false;
    await page.getByRole("heading", { level: 1, name: "Deployments" }).waitFor();
  }, { once: true, loud: /WebSocket|ERR_INTERNET_DISCONNECTED|the server does not answer/ });
}
