/* Subscriptions: a run, runs by tag, a batch; nothing is lost and they end when they should. */

import assert from "node:assert/strict";
import { auth, runs, streams, tasks } from "@trigger.dev/sdk";
import { ended, it, unique } from "./harness.mjs";

const answers = streams.input({ id: "answers" });

export default function () {
  it("runs.subscribeToRun tells every step up to the end, and ends with the run", async () => {
    const handle = await tasks.trigger("paced", { words: 3 });
    const statuses = new Set();
    const done = [];
    let last;
    for await (const run of runs.subscribeToRun(handle)) {
      statuses.add(run.status);
      last = run;
      if (run.status === "WAITING" && run.metadata.done === done.length) {
        done.push(run.metadata.done);
        await answers.send(handle.id, "go on");
      }
    }
    assert.deepEqual(done, [0, 1, 2]);
    assert.equal(last.metadata.done, 3);
    assert.equal(last.status, "COMPLETED");
    assert.equal(last.output, 3);
    assert.deepEqual(last.payload, { words: 3 });
    assert.ok(last.createdAt instanceof Date && last.finishedAt instanceof Date);
    assert.ok(last.isSuccess && last.isCompleted);
    assert.ok(statuses.has("WAITING") && statuses.has("COMPLETED"), [...statuses].join());
  });

  it("a run that has ended is told once", async () => {
    const handle = await tasks.trigger("echo", { value: { deep: [1] } }, { tags: ["a", 'q"\\'] });
    await ended(handle);
    const told = [];
    for await (const run of runs.subscribeToRun(handle)) told.push(run);
    assert.equal(told.length, 1);
    assert.deepEqual(told[0].output, { deep: [1] });
    assert.deepEqual(told[0].tags.toSorted(), ["a", 'q"\\'].toSorted());
  });

  it("failure, cancel and delay are told with the words of the contract", async () => {
    const failed = await tasks.trigger("fail", { reason: "no" });
    await ended(failed);
    for await (const run of runs.subscribeToRun(failed)) {
      assert.equal(run.status, "FAILED");
      assert.equal(run.error.name, "AbortRun");
      assert.match(run.error.message, /no/);
    }
    const delayed = await tasks.trigger("echo", {}, { delay: "1h" });
    const statuses = new Set();
    for await (const run of runs.subscribeToRun(delayed)) {
      statuses.add(run.status);
      if (run.status === "DELAYED") await runs.cancel(delayed.id);
    }
    assert.deepEqual([...statuses], ["DELAYED", "CANCELED"]);
  });

  it("a public token subscribes, and skipped columns stay away", async () => {
    const handle = await tasks.trigger("echo", { value: "secret" });
    await ended(handle);
    await auth.withAuth({ accessToken: handle.publicAccessToken }, async () => {
      for await (const run of runs.subscribeToRun(handle.id, { skipColumns: ["payload"] })) {
        assert.equal(run.payload, undefined);
        assert.equal(run.output, "secret");
      }
    });
  });

  it("runs.subscribeToRunsWithTag tells of runs that begin afterwards", async () => {
    const tag = unique("watched");
    const subscription = runs.subscribeToRunsWithTag(tag);
    const ids = [];
    const trigger = async () =>
      ids.push((await tasks.trigger("echo", { value: ids.length }, { tags: [tag, "x"] })).id);
    await trigger();
    const finished = new Set();
    for await (const run of subscription) {
      assert.ok(run.tags.includes(tag));
      if (run.finishedAt && !finished.has(run.id)) {
        finished.add(run.id);
        if (finished.size === 3) break;
        await trigger();
      }
    }
    assert.deepEqual([...finished], ids);
  });

  it("runs.subscribeToRunsWithTag of two tags wants both", async () => {
    const [a, b] = [unique("a"), unique("b")];
    await tasks.trigger("echo", { value: "a only" }, { tags: [a] }).then(ended);
    const both = await tasks.trigger("echo", { value: "both" }, { tags: [a, b] });
    for await (const run of runs.subscribeToRunsWithTag([a, b])) {
      assert.equal(run.id, both.id);
      if (run.finishedAt) break;
    }
  });

  it("runs.subscribeToBatch tells of every run of the batch", async () => {
    const handle = await tasks.batchTrigger(
      "count",
      [1, 2, 3].map((to) => ({ payload: { to, pause: 0.05 } })),
    );
    const outputs = new Map();
    for await (const run of runs.subscribeToBatch(handle.batchId)) {
      if (run.finishedAt) outputs.set(run.id, run.output);
      if (outputs.size === 3) break;
    }
    assert.deepEqual([...outputs.values()].toSorted(), [1, 2, 3]);
  });

  it("a large output is fetched for the subscriber", async () => {
    const handle = await tasks.trigger("large", { size: 700_000 });
    let last;
    for await (const run of runs.subscribeToRun(handle)) last = run;
    assert.equal(last.output.length, 700_000);
  });
}
