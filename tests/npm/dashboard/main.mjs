/* The dashboard in a real Chromium, against a running server. */

import { describe } from "node:test";

const suites = process.argv.slice(2);
for (const name of suites) {
  const { default: suite, ALONE = false } = await import(`./${name}.suite.mjs`);
  describe(name, { concurrency: ALONE ? 1 : 3 }, suite);
}
