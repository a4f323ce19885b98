/* A page in Chromium for one case, and what a test may ask of it. */

import assert from "node:assert/strict";

const PATIENCE_MS = 15_000;

/** Opens pages of the site; each in a context of its own, as another visitor. */
export class Visitor {
  browser;
  site;
  server;

  /** The page of the case, with what it is given in its address. */
  async open(name, given) {
    const context = await this.browser.newContext();
    const page = await context.newPage();
    const told = [];
    page.on("console", (message) => {
      if (message.type() === "error") told.push(message.text());
    });
    page.on("pageerror", (error) => told.push(String(error)));
    const asked = new URLSearchParams({ case: name, url: this.server, ...given });
    await page.goto(`${this.site}#${asked}`);
    return new Case(context, page, told);
  }
}

class Case {
  constructor(context, page, told) {
    this.context = context;
    this.page = page;
    this.told = told;
  }

  /** Presses the button of the case. */
  act() {
    return this.page.click("#act");
  }

  /** The state that the page shows. */
  async state() {
    return JSON.parse(await this.page.locator("#state").textContent());
  }

  /** The state once it passes the check; fails with the last one and what the console said. */
  async until(check) {
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
      const state = await this.state();
      if (check(state)) return state;
      if (Date.now() > end) {
        const console = this.told.join("; ");
        assert.fail(`the page shows ${JSON.stringify(state)}; its console: ${console}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }

  /** Closes the page; its console must have been silent. */
  async close({ loud = false } = {}) {
    await this.context.close();
    if (!loud) assert.deepEqual(this.told, []);
  }
}
