/* Follows a run and its stream, says everything that it hears, and sends a record for each line. */

import { createInterface } from "node:readline";
import { runs, streams, tasks } from "@trigger.dev/sdk";
import "./harness.mjs";

const answers = streams.input({ id: "answers" });
const handle = await tasks.trigger("paced", { words: Number(process.argv[2]) });
const tell = (line) => console.log(JSON.stringify(line));

async function followRun() {
  for await (const run of runs.subscribeToRun(handle)) {
    tell({ status: run.status, done: run.metadata?.done, output: run.output });
  }
}

async function followStream() {
  for await (const chunk of await streams.read(handle.id, "words")) tell({ word: chunk.n });
}

const lines = createInterface({ input: process.stdin });
lines.on("line", () => answers.send(handle.id, "go on"));
await Promise.all([followRun(), followStream()]);
lines.close();
