/* What the suites share: a test that tells its requests when it fails, and words for waiting. */

import { AsyncLocalStorage } from "node:async_hooks";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { configure, runs } from "@trigger.dev/sdk";

export const URL_OF_SERVER = process.env.MAINSPRING_URL;
export const SECRET_KEY = process.env.MAINSPRING_SECRET_KEY;

configure({ baseURL: URL_OF_SERVER, accessToken: SECRET_KEY });

const TIMEOUT_MS = 20_000;
const TOLD = 12;
const UNANSWERED = "no answer";
const exchanges = new AsyncLocalStorage();
const realFetch = globalThis.fetch;

globalThis.fetch = async (input, init) => {
  const line = { asked: `${init?.method ?? "GET"} ${input?.url ?? input}`, answered: UNANSWERED };
  if (typeof init?.body === "string") line.asked += ` ${init.body.slice(0, 300)}`;
  exchanges.getStore()?.push(line);
  const response = await realFetch(input, init);
  line.answered = String(response.status);
  if (!response.ok) line.answered += ` ${(await response.clone().text()).slice(0, 500)}`;
  return response;
};

/** A test; when it fails or is late, its last requests and their answers are in the message. */
export function it(name, body) {
  test(name, (t) =>
    exchanges.run([], async () => {
      const asked = exchanges.getStore();
      let timer;
      const late = new Promise((_, reject) => {
        const error = new Error(`not done after ${TIMEOUT_MS} ms`);
        timer = setTimeout(() => reject(error), TIMEOUT_MS);
      });
      try {
        await Promise.race([body(t), late]);
      } catch (error) {
        error.stack += "\n  requests of this test:";
        for (const line of asked.slice(-TOLD)) {
          error.stack += `\n    ${line.asked}\n      -> ${line.answered}`;
        }
        throw error;
      } finally {
        clearTimeout(timer);
      }
    }),
  );
}

/** How many requests this test has made. */
export function requests() {
  return exchanges.getStore().length;
}

/** Returns once a request of this test whose address holds the text has been answered. */
export async function answered(text) {
  const has = (line) => line.asked.includes(text) && line.answered !== UNANSWERED;
  while (!exchanges.getStore().some(has)) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** A name that no other test uses. */
export function unique(prefix) {
  return `${prefix}-${randomUUID().slice(0, 8)}`;
}

/** The run of a handle once it has ended, asked for often because the tests wait for it. */
export function ended(handle) {
  return runs.poll(handle, { pollIntervalMs: 50 });
}

/** The run once it passes the check. */
export async function seen(id, check) {
  for (;;) {
    const run = await runs.retrieve(id);
    if (check(run)) return run;
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}
