/* What an admin does who came by name, below a path. */

import assert from "node:assert/strict";
import { makesKeys, promotes } from "./admin.mjs";
import { NAME, WORDS } from "./first.suite.mjs";
import { it, KEY, SERVER, unusable } from "./house.mjs";
import { PAGES, headed } from "./looks.suite.mjs";

export default function admin() {
  it("leads an admin through every page, and to keys, audit log and versions", async (page, _alone) => {
    await page.goto(`${SERVER}/overview`);
    await page.getByRole("button", { name: "With a password" }).click();
    await page.getByLabel("Name").fill(NAME);
    await page.getByLabel("Password").fill(`${WORDS} staple`);
    await page.getByRole("button", { name: "Sign in" }).click();
    for (const name of PAGES) {
      await page.getByRole("navigation").getByRole("link", { name, exact: true }).click();
      await page.getByRole("heading", { level: 1, name: headed(name) }).waitFor();
      assert.deepEqual(await unusable(page), [], name);
    }
    await page.locator("dd").getByText(/^person /).waitFor();
    await makesKeys(page, "dev");
    await promotes(page, KEY, "dev");
  }, { loud: /401/ });
}
