/* Batches: two phases, one task or several, keys, results, large payloads. */

import assert from "node:assert/strict";
import { auth, batch, idempotencyKeys, runs, tasks } from "@trigger.dev/sdk";
import { ended, it, unique } from "./harness.mjs";

/** The batch once all of its runs have ended. */
async function whole(batchId) {
  for (;;) {
    const found = await batch.retrieve(batchId);
    if (found.status !== "PENDING" && found.status !== "PROCESSING") return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export default function () {
  it("tasks.batchTrigger makes a run of each item, in order", async () => {
    const tag = unique("batch");
    const handle = await tasks.batchTrigger(
      "echo",
      [1, 2, 3].map((value) => ({ payload: { value }, options: { tags: [tag] } })),
    );
    assert.match(handle.batchId, /^batch_/);
    assert.equal(handle.runCount, 3);
    const found = await whole(handle.batchId);
    assert.equal(found.status, "COMPLETED");
    assert.equal(found.runCount, 3);
    const outputs = await Promise.all(found.runs.map(async (id) => (await ended(id)).output));
    assert.deepEqual(outputs, [1, 2, 3]);
    const listed = (await runs.list({ tag })).data.map((run) => run.id);
    assert.deepEqual(listed.toSorted(), found.runs.toSorted());
    assert.equal((await runs.retrieve(found.runs[0])).batchId, handle.batchId);
  });

  it("batch.trigger takes items of different tasks", async () => {
    const handle = await batch.trigger([
      { id: "greet", payload: { name: "Ada" } },
      { id: "echo", payload: { value: new Set([1]) } },
    ]);
    const found = await whole(handle.batchId);
    const outputs = await Promise.all(found.runs.map(async (id) => (await ended(id)).output));
    assert.deepEqual(outputs, ["Hello, Ada!", [1]]);
  });

  it("tasks.batchTrigger takes an endless-looking stream of items", async () => {
    async function* items() {
      for (let value = 0; value < 40; value++) yield { payload: { value } };
    }
    const handle = await tasks.batchTrigger("echo", items());
    assert.equal(handle.runCount, 40);
    assert.equal((await whole(handle.batchId)).runs.length, 40);
  });

  it("a batch whose runs fail is complete all the same", async () => {
    const handle = await tasks.batchTrigger("fail", [{ payload: { reason: "no" } }]);
    const found = await whole(handle.batchId);
    assert.equal(found.status, "COMPLETED");
    assert.equal((await ended(found.runs[0])).status, "FAILED");
  });

  it("one idempotency key of a batch is one batch", async () => {
    const idempotencyKey = await idempotencyKeys.create(unique("import"), { scope: "global" });
    const items = [{ payload: { value: 1 } }, { payload: { value: 2 } }];
    const first = await tasks.batchTrigger("echo", items, { idempotencyKey });
    const second = await tasks.batchTrigger("echo", items, { idempotencyKey });
    assert.equal(second.batchId, first.batchId);
  });

  it("an item's idempotency key leads to the run that has it", async () => {
    const idempotencyKey = await idempotencyKeys.create(unique("item"), { scope: "global" });
    const alone = await tasks.trigger("echo", { value: 1 }, { idempotencyKey });
    const handle = await tasks.batchTrigger("echo", [
      { payload: { value: 2 }, options: { idempotencyKey } },
    ]);
    assert.deepEqual((await whole(handle.batchId)).runs, [alone.id]);
  });

  it("large payloads of items go through the packet store", async () => {
    const text = "x".repeat(200_000);
    const handle = await tasks.batchTrigger("echo", [
      { payload: { value: text } },
      { payload: { value: "small" } },
    ]);
    const [large, small] = (await whole(handle.batchId)).runs;
    assert.equal((await ended(large)).output, text);
    assert.equal((await ended(small)).output, "small");
  });

  it("the batch's public token reads it and its runs", async () => {
    const handle = await tasks.batchTrigger("echo", [{ payload: { value: 1 } }]);
    await auth.withAuth({ accessToken: handle.publicAccessToken }, async () => {
      const found = await batch.retrieve(handle.batchId);
      assert.equal((await runs.retrieve(found.runs[0])).taskIdentifier, "echo");
    });
  });

  it("a batch whose items cannot be triggered says why of each", async () => {
    const handle = await batch.trigger([
      { id: "greet", payload: {} },
      { id: "nowhere", payload: {} },
    ]);
    const found = await whole(handle.batchId);
    assert.equal(found.status, "PARTIAL_FAILED");
    assert.equal(found.runs.length, 1);
    const [error] = found.processing.errors;
    assert.equal(error.index, 1);
    assert.equal(error.taskIdentifier, "nowhere");
    assert.match(error.error, /nowhere/);
  });
}
