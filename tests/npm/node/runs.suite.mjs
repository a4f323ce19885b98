/* Runs afterwards: lists with filters and pages, cancel, replay, reschedule, polling. */

import assert from "node:assert/strict";
import { queues, runs, tasks } from "@trigger.dev/sdk";
import { ended, it, seen, unique } from "./harness.mjs";

/** So many finished runs under one new tag, oldest first. */
async function tagged(count, task = "echo") {
  const tag = unique("list");
  const ids = [];
  for (let value = 0; value < count; value++) {
    ids.push((await tasks.trigger(task, { value }, { tags: [tag] })).id);
  }
  await Promise.all(ids.map(ended));
  return { tag, ids };
}

export default function () {
  it("runs.list walks pages forwards and back, newest first", async () => {
    const { tag, ids } = await tagged(5);
    const newest = ids.toReversed();
    const idsOf = (page) => page.data.map((run) => run.id);
    const first = await runs.list({ tag, limit: 2 });
    assert.deepEqual(idsOf(first), newest.slice(0, 2));
    assert.ok(first.hasNextPage() && !first.hasPreviousPage());
    const second = await first.getNextPage();
    assert.deepEqual(idsOf(second), newest.slice(2, 4));
    const third = await second.getNextPage();
    assert.deepEqual(idsOf(third), newest.slice(4));
    assert.ok(!third.hasNextPage());
    const back = await third.getPreviousPage();
    assert.deepEqual(idsOf(back), newest.slice(2, 4));
    assert.deepEqual(idsOf(await back.getPreviousPage()), newest.slice(0, 2));
  });

  it("for await walks over all pages of runs.list", async () => {
    const { tag, ids } = await tagged(4);
    const found = [];
    for await (const run of runs.list({ tag, limit: 3 })) found.push(run.id);
    assert.deepEqual(found, ids.toReversed());
  });

  it("a listed run has its times, tags, environment and flags", async () => {
    const { tag, ids } = await tagged(1);
    const [run] = (await runs.list({ tag })).data;
    assert.equal(run.id, ids[0]);
    assert.equal(run.status, "COMPLETED");
    assert.ok(run.createdAt instanceof Date && run.finishedAt instanceof Date);
    assert.deepEqual(run.tags, [tag]);
    assert.equal(run.env.name, "dev");
    assert.ok(run.isSuccess && !run.isTest);
  });

  it("runs.list filters by status, task, time and test", async () => {
    const tag = unique("filters");
    const options = { tags: [tag] };
    const good = await tasks.trigger("echo", { value: 1 }, options);
    const bad = await tasks.trigger("fail", { reason: "no" }, { ...options, tags: [tag] });
    await Promise.all([ended(good), ended(bad)]);
    const ids = async (filter) => (await runs.list({ tag, ...filter })).data.map((run) => run.id);
    assert.deepEqual(await ids({ status: "FAILED" }), [bad.id]);
    assert.deepEqual(await ids({ status: ["COMPLETED", "CANCELED"] }), [good.id]);
    assert.deepEqual(await ids({ taskIdentifier: ["fail"] }), [bad.id]);
    assert.deepEqual(await ids({ period: "1h" }), [bad.id, good.id]);
    assert.deepEqual(await ids({ from: new Date(Date.now() - 60_000), to: new Date() }), [
      bad.id,
      good.id,
    ]);
    assert.deepEqual(await ids({ from: new Date(Date.now() + 60_000) }), []);
    assert.deepEqual(await ids({ isTest: true }), []);
  });

  it("runs.list filters by queue, of a task or its own", async () => {
    const tag = unique("queues");
    const options = { tags: [tag] };
    const own = await tasks.trigger("narrowed", { value: 1 }, options);
    const task = await tasks.trigger("echo", { value: 1 }, options);
    const ids = async (queue) => (await runs.list({ tag, queue })).data.map((run) => run.id);
    assert.deepEqual(await ids({ type: "custom", name: "narrow" }), [own.id]);
    assert.deepEqual(await ids({ type: "task", name: "echo" }), [task.id]);
  });

  it("runs.list of a project and its environments", async () => {
    const { tag, ids } = await tagged(1);
    const found = await runs.list("proj_default", { env: ["dev"], tag });
    assert.deepEqual(found.data.map((run) => run.id), ids);
  });

  it("runs.list finds the runs of any of several tags", async () => {
    const [one, two] = await Promise.all([tagged(1), tagged(1)]);
    const found = (await runs.list({ tag: [one.tag, two.tag] })).data.map((run) => run.id);
    assert.deepEqual(found.toSorted(), [...one.ids, ...two.ids].toSorted());
  });

  it("runs.cancel ends a run that executes and one that has not begun", async () => {
    const working = await tasks.trigger("forever");
    const delayed = await tasks.trigger("echo", { value: 1 }, { delay: "1h" });
    await seen(working, (run) => run.metadata?.state === "running");
    assert.equal((await runs.cancel(working.id)).id, working.id);
    assert.equal((await runs.cancel(delayed.id)).id, delayed.id);
    for (const run of await Promise.all([ended(working), ended(delayed)])) {
      assert.equal(run.status, "CANCELED");
      assert.ok(run.isCancelled && run.isFailed);
    }
    assert.equal((await runs.cancel(working.id)).id, working.id);
  });

  it("runs.replay makes a new run of the same payload", async () => {
    const run = await tasks.trigger("echo", { value: { deep: [1, 2] } }).then(ended);
    const replayed = await runs.replay(run.id);
    assert.notEqual(replayed.id, run.id);
    assert.deepEqual((await ended(replayed.id)).output, { deep: [1, 2] });
  });

  it("runs.reschedule moves a delayed run", async () => {
    const handle = await tasks.trigger("echo", { value: 1 }, { delay: "1h" });
    const moved = await runs.reschedule(handle.id, { delay: new Date(Date.now() + 7_200_000) });
    assert.equal(moved.status, "DELAYED");
    const ahead = moved.delayedUntil.getTime() - Date.now();
    assert.ok(Math.abs(ahead - 7_200_000) < 5_000, String(ahead));
    await runs.reschedule(handle.id, { delay: "1s" });
    assert.equal((await ended(handle)).status, "COMPLETED");
    await assert.rejects(runs.reschedule(handle.id, { delay: "1m" }), { status: 400 });
  });

  it("runs.poll ends on a run that expired", async () => {
    await queues.pause({ type: "task", name: "held" });
    const run = await tasks.trigger("held", {}, { ttl: "1s" }).then(ended);
    assert.equal(run.status, "EXPIRED");
    assert.ok(run.expiredAt instanceof Date);
  });

  it("runs.poll waits as long as the run works", async () => {
    const handle = await tasks.trigger("count", { to: 3, pause: 0.05 });
    const run = await runs.poll(handle, { pollIntervalMs: 20 });
    assert.equal(run.output, 3);
    assert.deepEqual(run.metadata, { total: 3, done: 3 });
  });
}
