/* Wait tokens: made, completed, listed, timed out, by the SDK and by their address. */

import assert from "node:assert/strict";
import { tasks, wait } from "@trigger.dev/sdk";
import { ended, it, seen, unique } from "./harness.mjs";

export default function () {
  it("wait.completeToken lets a waiting run go on with the value", async () => {
    const token = await wait.createToken({ timeout: "10m" });
    assert.match(token.id, /^waitpoint_/);
    assert.equal(token.isCached, false);
    const handle = await tasks.trigger("approve", { token: token.id });
    await seen(handle, (run) => run.isWaiting);
    assert.deepEqual(await wait.completeToken(token, { approved: true, by: "ann" }), {
      success: true,
    });
    assert.deepEqual((await ended(handle)).output, { approved: true, by: "ann" });
  });

  it("wait.retrieveToken shows status, tags, times and output", async () => {
    const tag = unique("token");
    const token = await wait.createToken({ timeout: "1h", tags: [tag], idempotencyKey: tag });
    const waiting = await wait.retrieveToken(token);
    assert.equal(waiting.status, "WAITING");
    assert.deepEqual(waiting.tags, [tag]);
    assert.equal(waiting.idempotencyKey, tag);
    assert.ok(waiting.timeoutAt > waiting.createdAt);
    assert.equal(waiting.output, undefined);
    await wait.completeToken(token.id, { n: 1 });
    const completed = await wait.retrieveToken(token.id);
    assert.equal(completed.status, "COMPLETED");
    assert.deepEqual(completed.output, { n: 1 });
    assert.ok(completed.completedAt instanceof Date);
  });

  it("the first completion of a token counts, later ones succeed without effect", async () => {
    const token = await wait.createToken();
    await wait.completeToken(token, "first");
    await wait.completeToken(token, "second");
    assert.equal((await wait.retrieveToken(token)).output, "first");
  });

  it("a token times out with the error of the contract", async () => {
    const token = await wait.createToken({ timeout: "1s" });
    let found = await wait.retrieveToken(token);
    while (found.status === "WAITING") {
      await new Promise((resolve) => setTimeout(resolve, 50));
      found = await wait.retrieveToken(token);
    }
    assert.equal(found.status, "TIMED_OUT");
    assert.equal(found.error.name, "WaitpointTimeoutError");
  });

  it("one idempotency key is one token", async () => {
    const idempotencyKey = unique("once");
    const first = await wait.createToken({ idempotencyKey, idempotencyKeyTTL: "1h" });
    const second = await wait.createToken({ idempotencyKey });
    assert.equal(second.id, first.id);
    assert.equal(second.isCached, true);
  });

  it("wait.listTokens filters by tag and status and walks pages", async () => {
    const tag = unique("list");
    const made = [];
    for (let n = 0; n < 3; n++) made.push((await wait.createToken({ tags: [tag] })).id);
    await wait.completeToken(made[0], 1);
    const all = [];
    for await (const token of wait.listTokens({ tags: [tag], limit: 2 })) all.push(token.id);
    assert.deepEqual(all, made.toReversed());
    const waiting = await wait.listTokens({ tags: [tag], status: ["WAITING"] });
    assert.deepEqual(
      waiting.data.map((token) => token.id),
      made.slice(1).toReversed(),
    );
    const completed = await wait.listTokens({ tags: [tag], status: "COMPLETED" });
    assert.equal(completed.data[0].status, "COMPLETED");
  });

  it("whoever has the token's address completes it without a key", async () => {
    const token = await wait.createToken();
    const answer = await fetch(token.url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ from: "webhook" }),
    });
    assert.equal(answer.status, 200);
    assert.deepEqual((await wait.retrieveToken(token)).output, { from: "webhook" });
    const forged = token.url.replace(/.$/, (last) => (last === "0" ? "1" : "0"));
    assert.equal((await fetch(forged, { method: "POST", body: "{}" })).status, 401);
  });
}
