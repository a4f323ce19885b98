/* Streams: what Python writes is read here, and what is sent here is read in Python. */

import assert from "node:assert/strict";
import { auth, runs, streams, tasks } from "@trigger.dev/sdk";
import { answered, ended, it, seen } from "./harness.mjs";

const answers = streams.input({ id: "answers" });

export default function () {
  it("streams.read yields every chunk while they are written, and ends with the run", async () => {
    const handle = await tasks.trigger("talk", { words: 5, pause: 0.05 });
    const chunks = [];
    for await (const chunk of await streams.read(handle.id, "words")) chunks.push(chunk);
    assert.deepEqual(chunks, [0, 1, 2, 3, 4].map((n) => ({ n, word: `word ${n}` })));
  });

  it("streams.read begins at an index", async () => {
    const handle = await tasks.trigger("talk", { words: 5 });
    await ended(handle);
    const chunks = [];
    const stream = await streams.read(handle.id, "words", { startIndex: 3 });
    for await (const chunk of stream) chunks.push(chunk.n);
    assert.deepEqual(chunks, [3, 4]);
  });

  it("streams.read from the latest yields what comes afterwards only", async () => {
    const handle = await tasks.trigger("paced", { words: 2 });
    await seen(handle, (run) => run.isWaiting && run.metadata.done === 0);
    const stream = await streams.read(handle.id, "words", { from: "latest" });
    const reader = stream[Symbol.asyncIterator]();
    const next = reader.next();
    await answered("/realtime/v1/streams/");
    await answers.send(handle.id, "go on");
    assert.equal((await next).value.n, 1);
    await answers.send(handle.id, "go on");
    assert.equal((await reader.next()).done, true);
  });

  it("streams.define reads by its id, and without a key reads the default stream", async () => {
    const handle = await tasks.trigger("talk", { words: 2, key: "default" });
    const chunks = [];
    for await (const chunk of await streams.read(handle.id)) chunks.push(chunk.n);
    const defined = streams.define({ id: "default" });
    for await (const chunk of await defined.read(handle.id)) chunks.push(chunk.n);
    assert.deepEqual(chunks, [0, 1, 0, 1]);
  });

  it("runs.fetchStream reads a stream", async () => {
    const handle = await tasks.trigger("talk", { words: 2 });
    const chunks = [];
    for await (const chunk of await runs.fetchStream(handle.id, "words")) chunks.push(chunk.n);
    assert.deepEqual(chunks, [0, 1]);
  });

  it("withStreams carries the run and its chunks together", async () => {
    const handle = await tasks.trigger("talk", { words: 3, pause: 0.1 });
    const chunks = [];
    for await (const part of runs.subscribeToRun(handle).withStreams()) {
      if (part.type === "words") chunks.push(part.chunk.n);
      if (chunks.length === 3) break;
    }
    assert.deepEqual(chunks, [0, 1, 2]);
  });

  it("the handle's public token reads the streams of its run", async () => {
    const handle = await tasks.trigger("talk", { words: 1 });
    const other = await tasks.trigger("talk", { words: 1 });
    await auth.withAuth({ accessToken: handle.publicAccessToken }, async () => {
      const chunks = [];
      for await (const chunk of await streams.read(handle.id, "words")) chunks.push(chunk.n);
      assert.deepEqual(chunks, [0]);
      await assert.rejects(async () => {
        for await (const _ of await streams.read(other.id, "words")) assert.fail("read it");
      });
    });
  });

  it("streams.input().send is what Python reads, in order", async () => {
    const handle = await tasks.trigger("listen", { records: 2 });
    await answers.send(handle.id, { first: true });
    await seen(handle, (run) => run.isWaiting);
    await auth.withAuth({ accessToken: handle.publicAccessToken }, () =>
      answers.send(handle.id, "second"),
    );
    assert.deepEqual((await ended(handle)).output, [{ first: true }, "second"]);
    await assert.rejects(answers.send(handle.id, "late"), { status: 400 });
  });
}
