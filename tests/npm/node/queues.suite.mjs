/* Queues: read by their three names, paused, their limit overridden. */

import assert from "node:assert/strict";
import { queues, runs, tasks } from "@trigger.dev/sdk";
import { ended, it } from "./harness.mjs";

export default function () {
  it("queues.list tells queues of tasks and their own", async () => {
    const page = await queues.list({ page: 1, perPage: 100 });
    const narrow = page.data.find((queue) => queue.name === "narrow");
    assert.equal(narrow.type, "custom");
    assert.equal(narrow.concurrencyLimit, 3);
    assert.equal(page.data.find((queue) => queue.name === "echo").type, "task");
    assert.equal(page.pagination.currentPage, 1);
    assert.equal(page.pagination.count, page.data.length);
  });

  it("queues.list walks pages", async () => {
    const names = [];
    for await (const queue of queues.list({ perPage: 2 })) names.push(queue.name);
    assert.ok(names.includes("narrow") && names.includes("greet"));
    assert.equal(new Set(names).size, names.length);
  });

  it("queues.retrieve takes a name with its type, or an id", async () => {
    const custom = await queues.retrieve({ type: "custom", name: "narrow" });
    assert.equal(custom.paused, false);
    assert.equal((await queues.retrieve({ type: "task", name: "echo" })).name, "echo");
    assert.equal((await queues.retrieve(custom.id)).name, "narrow");
    await assert.rejects(queues.retrieve({ type: "custom", name: "nowhere" }), { status: 404 });
  });

  it("queues.pause holds runs back and queues.resume lets them go", async () => {
    const queue = { type: "task", name: "paused" };
    assert.equal((await queues.pause(queue)).paused, true);
    const handle = await tasks.trigger("paused", { value: 1 });
    assert.equal((await runs.retrieve(handle)).status, "QUEUED");
    const held = await queues.retrieve(queue);
    assert.equal(held.queued, 1);
    assert.equal((await queues.resume(queue)).paused, false);
    assert.equal((await ended(handle)).status, "COMPLETED");
  });

  it("queues.overrideConcurrencyLimit holds until it is reset", async () => {
    const queue = { type: "custom", name: "overridden" };
    const changed = await queues.overrideConcurrencyLimit(queue, 1);
    assert.equal(changed.concurrencyLimit, 1);
    assert.deepEqual(
      { current: changed.concurrency.current, base: changed.concurrency.base },
      { current: 1, base: 2 },
    );
    assert.equal(changed.concurrency.override, 1);
    assert.ok(changed.concurrency.overriddenAt instanceof Date);
    const reset = await queues.resetConcurrencyLimit(queue);
    assert.equal(reset.concurrencyLimit, 2);
    assert.equal(reset.concurrency.override, null);
  });
}
