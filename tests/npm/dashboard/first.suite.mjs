/* The first admin of a server, who signs in by name from then on. */

import { it, KEY, SERVER, unusable, violations } from "./house.mjs";
import assert from "node:assert/strict";

export const NAME = "ann@example.org";
export const WORDS = "correct horse battery";

export default function first() {
  it("makes the first admin, who signs in with a password and changes it", async (page, _alone) => {
    await page.goto(`${SERVER}/runs`);
    await page.getByRole("button", { name: "Make the first admin" }).click();
    await page.getByLabel("Secret key").fill(KEY);
    await page.getByLabel("Name").fill(NAME);
    await page.getByLabel("Password").fill(WORDS);
    assert.deepEqual([...(await unusable(page)), ...(await violations(page, "First admin"))], []);
    await page.getByRole("button", { name: "Make it and sign in" }).click();
    await page.locator("aside").getByText(`person ${NAME}`).waitFor();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("button", { name: "With a password" }).click();
    await page.getByLabel("Name").fill(NAME);
    await page.getByLabel("Password").fill("something else");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").getByText("The name or the password is not right.").waitFor();
    await page.getByLabel("Password").fill(WORDS);
    await page.keyboard.press("Enter");
    await page.getByRole("link", { name: "Settings" }).click();
    await page.getByLabel("New password").fill(`${WORDS} staple`);
    await page.getByLabel("The old one").fill(WORDS);
    await page.getByRole("button", { name: "Set", exact: true }).click();
    await page.getByText("The password is set.").waitFor();
  }, { loud: /401/ });
}
