/* Public tokens: who makes them, what they allow, what they refuse. */

import assert from "node:assert/strict";
import { auth, batch, queues, runs, schedules, tasks, wait } from "@trigger.dev/sdk";
import { ended, it, unique } from "./harness.mjs";

/** Runs the body with a public token as the only credential. */
function as(accessToken, body) {
  return auth.withAuth({ accessToken }, body);
}

export default function () {
  it("auth.createPublicToken reads what its scopes name and nothing else", async () => {
    const tag = unique("scope");
    const mine = await tasks.trigger("echo", { value: 1 }, { tags: [tag] });
    const other = await tasks.trigger("greet", {});
    const tokens = await Promise.all([
      auth.createPublicToken({ scopes: { read: { runs: [mine.id] } } }),
      auth.createPublicToken({ scopes: { read: { tags: [tag] } } }),
      auth.createPublicToken({ scopes: { read: { tasks: ["echo"] } } }),
    ]);
    for (const token of tokens) {
      await as(token, async () => {
        assert.equal((await runs.retrieve(mine.id)).id, mine.id);
        await assert.rejects(runs.retrieve(other.id), { status: 403 });
        await assert.rejects(queues.list(), { status: 403 });
        await assert.rejects(tasks.trigger("echo", {}), { status: 403 });
      });
    }
  });

  it("a token for all runs lists them, one without scopes sees nothing", async () => {
    const tag = unique("all");
    const handle = await tasks.trigger("echo", { value: 1 }, { tags: [tag] });
    const all = await auth.createPublicToken({ scopes: { read: { runs: true } } });
    await as(all, async () => {
      assert.deepEqual((await runs.list({ tag })).data.map((run) => run.id), [handle.id]);
    });
    const write = await auth.createPublicToken({ scopes: { write: { waitpoints: "x" } } });
    await as(write, () => assert.rejects(runs.retrieve(handle.id), { status: 403 }));
  });

  it("an expired token is refused", async () => {
    const handle = await tasks.trigger("echo", { value: 1 });
    const token = await auth.createPublicToken({
      scopes: { read: { runs: [handle.id] } },
      expirationTime: new Date(Date.now() + 4_000),
    });
    await as(token, async () => {
      assert.equal((await runs.retrieve(handle.id)).id, handle.id);
      await new Promise((resolve) => setTimeout(resolve, 4_000));
      await assert.rejects(runs.retrieve(handle.id), { status: 401 });
    });
  });

  it("auth.createTriggerPublicToken triggers its task once", async () => {
    const token = await auth.createTriggerPublicToken("greet");
    const handle = await as(token, () => tasks.trigger("greet", { name: "once" }));
    assert.equal((await ended(handle)).output, "Hello, once!");
    await as(token, () => assert.rejects(tasks.trigger("greet", {})));
  });

  it("a trigger token for several uses triggers its tasks and no other", async () => {
    const token = await auth.createTriggerPublicToken(["greet", "echo"], { multipleUse: true });
    await as(token, async () => {
      await tasks.trigger("greet", {});
      await tasks.trigger("echo", {});
      await assert.rejects(tasks.trigger("count", { to: 1 }), { status: 403 });
    });
  });

  it("auth.createBatchTriggerPublicToken makes a batch of its task", async () => {
    const token = await auth.createBatchTriggerPublicToken("echo");
    const handle = await as(token, () =>
      tasks.batchTrigger("echo", [{ payload: { value: 1 } }, { payload: { value: 2 } }]),
    );
    assert.equal(handle.runCount, 2);
    assert.equal((await batch.retrieve(handle.batchId)).runs.length, 2);
  });

  it("a wait token's own public token completes it", async () => {
    const token = await wait.createToken();
    await as(token.publicAccessToken, async () => {
      await wait.completeToken(token.id, { ok: true });
      await assert.rejects(wait.retrieveToken(token.id), { status: 403 });
    });
    assert.equal((await wait.retrieveToken(token.id)).status, "COMPLETED");
  });

  it("a public token may cancel what it may write, and never replay or schedule", async () => {
    const handle = await tasks.trigger("forever");
    const token = await auth.createPublicToken({ scopes: { write: { runs: [handle.id] } } });
    await as(token, async () => {
      await assert.rejects(runs.replay(handle.id), { status: 403 });
      await assert.rejects(schedules.list(), { status: 403 });
      await runs.cancel(handle.id);
    });
    assert.equal((await ended(handle)).status, "CANCELED");
  });

  it("auth.withPublicToken and withTriggerPublicToken scope what is inside", async () => {
    const handle = await tasks.trigger("echo", { value: 1 });
    await auth.withPublicToken({ scopes: { read: { runs: [handle.id] } } }, async () => {
      assert.equal((await runs.retrieve(handle.id)).id, handle.id);
      await assert.rejects(tasks.trigger("echo", {}), { status: 403 });
    });
    await auth.withTriggerPublicToken("echo", {}, async () => {
      assert.match((await tasks.trigger("echo", {})).id, /^run_/);
    });
  });
}
