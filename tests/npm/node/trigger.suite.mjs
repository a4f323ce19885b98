/* Triggering one run: payloads of every encoding, options, keys, the token of the handle. */

import assert from "node:assert/strict";
import { auth, idempotencyKeys, runs, tasks } from "@trigger.dev/sdk";
import { ended, it, seen, unique } from "./harness.mjs";

export default function () {
  it("tasks.trigger makes a run that the SDK can retrieve to its end", async () => {
    const handle = await tasks.trigger("greet", { name: "Ada" });
    assert.match(handle.id, /^run_[a-z0-9]{21,}$/);
    assert.equal(handle.isCached ?? false, false);
    const run = await ended(handle);
    assert.equal(run.status, "COMPLETED");
    assert.equal(run.taskIdentifier, "greet");
    assert.equal(run.output, "Hello, Ada!");
    assert.deepEqual(run.payload, { name: "Ada" });
    assert.ok(run.isSuccess && run.isCompleted && !run.isFailed && !run.isQueued);
    assert.ok(run.createdAt instanceof Date && run.finishedAt >= run.startedAt);
    assert.equal(run.depth, 0);
    assert.equal(run.attemptCount, 1);
  });

  it("no payload, and fields that are left out, become the defaults", async () => {
    const [none, empty, left] = await Promise.all([
      tasks.trigger("greet").then(ended),
      tasks.trigger("greet", {}).then(ended),
      tasks.trigger("greet", { name: undefined }).then(ended),
    ]);
    for (const run of [none, empty, left]) assert.equal(run.output, "Hello, world!");
  });

  it("values beyond JSON arrive as what JSON would say, large integers whole", async () => {
    const value = {
      date: new Date("2026-03-04T05:06:07.089Z"),
      big: 2n ** 70n,
      set: new Set(["a", "b"]),
      map: new Map([["k", 1]]),
      gone: undefined,
      nothing: null,
      url: new URL("https://example.com/a?b=c"),
      text: "zażółć 🎉 \u0001",
      float: 0.1,
      "dotted.key": new Date(0),
    };
    const run = await tasks.trigger("echo", { value }).then(ended);
    assert.equal(run.status, "COMPLETED");
    assert.equal(run.output.date, "2026-03-04T05:06:07.089Z");
    assert.equal(run.output["dotted.key"], "1970-01-01T00:00:00.000Z");
    assert.deepEqual(run.output.set, ["a", "b"]);
    assert.deepEqual(run.output.map, [["k", 1]]);
    assert.equal(run.output.nothing, null);
    assert.equal(run.output.text, value.text);
    assert.equal(run.output.float, 0.1);
    assert.equal(run.output.url, "https://example.com/a?b=c");
  });

  it("a Date is a datetime where the Python task says so", async () => {
    const at = new Date("2026-03-04T05:06:07.089Z");
    const run = await tasks.trigger("tomorrow", { at }).then(ended);
    assert.equal(new Date(run.output).getTime(), at.getTime() + 86_400_000);
  });

  it("options are those of the run that comes back", async () => {
    const tag = unique("tag");
    const handle = await tasks.trigger(
      "echo",
      { value: 1 },
      {
        tags: [tag, "b"],
        metadata: { user: { id: "u_1" }, step: 0 },
        delay: "1h",
        ttl: "2h",
        maxAttempts: 3,
        maxDuration: 60,
        machine: "small-1x",
        priority: 10,
        concurrencyKey: "tenant-1",
        queue: "narrow",
      },
    );
    const run = await runs.retrieve(handle);
    assert.equal(run.status, "DELAYED");
    assert.ok(run.isQueued);
    assert.deepEqual(run.tags.toSorted(), ["b", tag].toSorted());
    assert.deepEqual(run.metadata, { user: { id: "u_1" }, step: 0 });
    assert.equal(run.ttl, "2h");
    const ahead = run.delayedUntil.getTime() - run.createdAt.getTime();
    assert.ok(Math.abs(ahead - 3_600_000) < 2_000, String(ahead));
    await runs.cancel(handle.id);
  });

  it("an idempotency key leads to one run, and reset lets the next be another", async () => {
    const key = await idempotencyKeys.create(unique("order"), { scope: "global" });
    const first = await tasks.trigger("echo", { value: 1 }, { idempotencyKey: key });
    const second = await tasks.trigger("echo", { value: 2 }, { idempotencyKey: key });
    assert.equal(second.id, first.id);
    assert.equal(second.isCached, true);
    await idempotencyKeys.reset("echo", key);
    const third = await tasks.trigger("echo", { value: 3 }, { idempotencyKey: key });
    assert.notEqual(third.id, first.id);
  });

  it("a run shows the user's own idempotency key, not its hash", async () => {
    const key = unique("mine");
    const handle = await tasks.trigger("echo", { value: 1 }, { idempotencyKey: key });
    assert.equal((await runs.retrieve(handle)).idempotencyKey, key);
  });

  it("an idempotency key is forgotten after its TTL", async () => {
    const options = { idempotencyKey: unique("short"), idempotencyKeyTTL: "1s" };
    const first = await tasks.trigger("echo", { value: 1 }, options);
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    const second = await tasks.trigger("echo", { value: 1 }, options);
    assert.notEqual(second.id, first.id);
  });

  it("a burst with one debounce key becomes one run with the last payload", async () => {
    const debounce = { key: unique("doc"), delay: "2s", mode: "trailing" };
    const ids = [];
    for (const value of [1, 2, 3]) {
      ids.push((await tasks.trigger("echo", { value }, { debounce })).id);
    }
    assert.equal(new Set(ids).size, 1);
    assert.equal((await ended(ids[0])).output, 3);
  });

  it("a failed run carries name and message of the Python exception", async () => {
    const run = await tasks.trigger("fail", { reason: "no such order" }).then(ended);
    assert.equal(run.status, "FAILED");
    assert.ok(run.isFailed && run.isCompleted && !run.isSuccess);
    assert.equal(run.error.name, "AbortRun");
    assert.match(run.error.message, /no such order/);
    assert.match(run.error.stackTrace, /tasks\.py/);
    assert.equal(run.output, undefined);
  });

  it("metadata set by Python is there while the run executes", async () => {
    const handle = await tasks.trigger("forever");
    const run = await seen(handle, (run) => run.metadata?.state === "running");
    assert.ok(run.isExecuting);
    await runs.cancel(handle.id);
  });

  it("an output over 512 KiB comes back through the packet store", async () => {
    const run = await tasks.trigger("large", { size: 700_000 }).then(ended);
    assert.equal(run.output.length, 700_000);
  });

  it("related runs tell parent, root and children", async () => {
    const parent = await tasks.trigger("nested", { n: 7 }).then(ended);
    assert.deepEqual(parent.output, { child: 7 });
    const [child] = parent.relatedRuns.children;
    assert.equal(child.taskIdentifier, "echo");
    assert.equal(child.depth, 1);
    const seenChild = await runs.retrieve(child.id);
    assert.equal(seenChild.relatedRuns.parent.id, parent.id);
    assert.equal(seenChild.relatedRuns.root.id, parent.id);
    assert.equal(seenChild.triggerFunction, "triggerAndWait");
  });

  it("the handle's public token reads its run and no other", async () => {
    const [mine, other] = await Promise.all([
      tasks.trigger("echo", { value: 1 }),
      tasks.trigger("echo", { value: 2 }),
    ]);
    await auth.withAuth({ accessToken: mine.publicAccessToken }, async () => {
      assert.equal((await runs.retrieve(mine.id)).id, mine.id);
      await assert.rejects(runs.retrieve(other.id), { status: 403 });
    });
  });

  it("a payload over 128 KiB goes through the packet store", async () => {
    const text = "äb".repeat(100_000);
    const run = await tasks.trigger("echo", { value: text }).then(ended);
    assert.equal(run.status, "COMPLETED");
    assert.equal(run.output, text);
    assert.deepEqual(run.payload, { value: text });
  });
}
