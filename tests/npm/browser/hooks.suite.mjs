/* Every hook that talks to a server, each with the public token that a backend would hand out. */

import assert from "node:assert/strict";
import { auth, runs, streams, tasks, wait } from "@trigger.dev/sdk";
import { SECRET_KEY, ended, it, seen, unique } from "../node/harness.mjs";

const answers = streams.input({ id: "answers" });

export default function (visitor) {
  it("useRealtimeRun shows each step while the run works, and its output", async () => {
    const handle = await tasks.trigger("paced", { words: 3 });
    const page = await visitor.open("progress", {
      run: handle.id,
      token: handle.publicAccessToken,
    });
    for (const step of [0, 1, 2]) {
      await page.until((state) => state.done.at(-1) === step && state.status === "WAITING");
      await answers.send(handle.id, "go on");
    }
    const state = await page.until((state) => state.completed !== "");
    assert.equal(state.status, "COMPLETED");
    assert.equal(state.completed, "COMPLETED");
    assert.equal(state.output, 3);
    assert.deepEqual(state.done, [0, 1, 2, 3]);
    await page.close();
  });

  for (const [name, title] of [
    ["withStreams", "useRealtimeRunWithStreams shows the chunks beside the run"],
    ["stream", "useRealtimeStream shows a stream as it is written"],
  ]) {
    it(title, async () => {
      const handle = await tasks.trigger("paced", { words: 3 });
      const page = await visitor.open(name, { run: handle.id, token: handle.publicAccessToken });
      for (const step of [0, 1, 2]) {
        await page.until((state) => state.words?.length === step + 1);
        await seen(handle, (run) => run.isWaiting && run.metadata.done === step);
        await answers.send(handle.id, "go on");
      }
      const state = await page.until((state) => state.words.length === 3);
      assert.deepEqual(state.words, [0, 1, 2]);
      assert.equal(state.error, undefined);
      await page.close();
    });
  }

  it("a page cancels a run and sees that it is over", async () => {
    const handle = await tasks.trigger("forever");
    await seen(handle, (run) => run.metadata?.state === "running");
    const token = await auth.createPublicToken({
      scopes: { read: { runs: [handle.id] }, write: { runs: [handle.id] } },
    });
    const page = await visitor.open("cancel", { run: handle.id, token });
    await page.until((state) => state.status === "EXECUTING");
    await page.act();
    await page.until((state) => state.status === "CANCELED");
    await page.close();
  });

  it("useWaitToken lets a waiting run go on", async () => {
    const waitpoint = await wait.createToken();
    const handle = await tasks.trigger("approve", { token: waitpoint.id });
    await seen(handle, (run) => run.isWaiting);
    const page = await visitor.open("waitToken", {
      waitpoint: waitpoint.id,
      token: waitpoint.publicAccessToken,
    });
    await page.until((state) => state.isReady);
    await page.act();
    await page.until((state) => state.isCompleted);
    assert.deepEqual((await ended(handle)).output, { by: "page" });
    await page.close();
  });

  it("useTaskTrigger triggers with a one-time token and gets the token of its run", async () => {
    const token = await auth.createTriggerPublicToken("greet");
    const page = await visitor.open("trigger", { token });
    await page.act();
    const { id, publicAccessToken } = await page.until((state) => state.id !== undefined);
    assert.equal((await ended(id)).output, "Hello, page!");
    await auth.withAuth({ accessToken: publicAccessToken }, async () => {
      assert.equal((await runs.retrieve(id)).id, id);
    });
    await page.act();
    await page.until((state) => state.error !== undefined);
    await page.close({ loud: true });
  });

  it("useRealtimeTaskTrigger triggers and then follows the run", async () => {
    const token = await auth.createTriggerPublicToken("count");
    const page = await visitor.open("realtimeTrigger", { token });
    await page.act();
    const state = await page.until((state) => state.status === "COMPLETED");
    assert.equal(state.output, 3);
    assert.equal(state.done.at(-1), 3);
    await page.close();
  });

  it("useRealtimeTaskTriggerWithStreams follows the run and its streams", async () => {
    const token = await auth.createTriggerPublicToken("talk");
    const page = await visitor.open("triggerWithStreams", { token });
    await page.act();
    const state = await page.until((state) => state.words?.length === 2);
    assert.deepEqual(state.words, [0, 1]);
    await page.close();
  });

  it("useRealtimeRunsWithTag shows runs that begin while it looks", async () => {
    const tag = unique("page");
    const first = await tasks.trigger("echo", { value: 1 }, { tags: [tag] });
    const token = await auth.createPublicToken({ scopes: { read: { tags: [tag] } } });
    const page = await visitor.open("tag", { tag, token });
    await page.until((state) => state.statuses[first.id] === "COMPLETED");
    const second = await tasks.trigger("echo", { value: 2 }, { tags: [tag] });
    const state = await page.until((state) => state.statuses[second.id] === "COMPLETED");
    assert.equal(Object.keys(state.statuses).length, 2);
    await page.close();
  });

  it("useRealtimeBatch shows all runs of a batch", async () => {
    const handle = await tasks.batchTrigger(
      "count",
      [1, 2, 3].map((to) => ({ payload: { to, pause: 0.2 } })),
    );
    const page = await visitor.open("batch", {
      batch: handle.batchId,
      token: handle.publicAccessToken,
    });
    const state = await page.until(
      (state) => Object.values(state.outputs).filter((output) => output !== undefined).length === 3,
    );
    assert.deepEqual(Object.values(state.outputs).toSorted(), [1, 2, 3]);
    await page.close();
  });

  it("useInputStreamSend reaches the run", async () => {
    const handle = await tasks.trigger("listen", { records: 1 });
    await seen(handle, (run) => run.isWaiting);
    const page = await visitor.open("input", { run: handle.id, token: handle.publicAccessToken });
    await page.until((state) => state.isReady && state.status === "WAITING");
    await page.act();
    const state = await page.until((state) => state.status === "COMPLETED");
    assert.deepEqual(state.output, ["from the page"]);
    await page.close();
  });

  it("useRun asks again until the run has ended", async () => {
    const handle = await tasks.trigger("paced", { words: 1 });
    const page = await visitor.open("run", { run: handle.id, token: handle.publicAccessToken });
    await page.until((state) => state.status === "WAITING");
    await answers.send(handle.id, "go on");
    const state = await page.until((state) => state.status === "COMPLETED");
    assert.equal(state.output, 1);
    await page.close();
  });

  it("a page whose token is no good asks for a fresh one once, and reads on", async () => {
    const handle = await tasks.trigger("talk", { words: 2 });
    const page = await visitor.open("refreshed", {
      run: handle.id,
      token: handle.publicAccessToken.replace(/.{8}$/, "AAAAAAAA"),
      fresh: await auth.createPublicToken({ scopes: { read: { runs: [handle.id] } } }),
    });
    const state = await page.until((state) => state.words.length === 2);
    assert.equal(state.asked, 1);
    await page.close({ loud: true });
  });

  it("a page may not read another run with its token, and is told so at once", async () => {
    const [mine, other] = await Promise.all([
      tasks.trigger("echo", { value: 1 }),
      tasks.trigger("echo", { value: 2 }),
    ]);
    const page = await visitor.open("progress", { run: other.id, token: mine.publicAccessToken });
    const state = await page.until((state) => state.error !== undefined);
    assert.equal(state.status, undefined);
    await page.close({ loud: true });
  });

  it("the browser lets the page read what the realtime client needs", async () => {
    const handle = await tasks.trigger("echo", { value: 1 });
    await ended(handle);
    const page = await visitor.open("headers", {
      token: handle.publicAccessToken,
      path: `/realtime/v1/runs/${handle.id}?offset=-1&log=full`,
    });
    const { code, headers } = await page.until((state) => state.code !== undefined);
    assert.equal(code, 200);
    for (const name of ["electric-handle", "electric-offset", "electric-schema"]) {
      assert.ok(headers[name], `${name} is hidden from the page`);
    }
    await page.close();
  });

  it("no page may call what only our own programs speak", async () => {
    const page = await visitor.open("headers", {
      token: SECRET_KEY,
      path: "/api/mainspring/call",
      method: "POST",
    });
    const state = await page.until((state) => state.error ?? state.code);
    assert.match(state.error, /Failed to fetch/);
    await page.close({ loud: true });
  });
}
