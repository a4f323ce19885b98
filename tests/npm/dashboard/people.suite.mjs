/* People with roles, and their environments. */

import assert from "node:assert/strict";
import { makesKeys, promotes } from "./admin.mjs";
import { it, row, SERVER, trigger } from "./house.mjs";

const { VIEWER, ADMIN } = process.env;

async function enter(page, token, path) {
  await page.goto(`${SERVER}${path}`);
  await page.getByLabel("Personal token or secret key").fill(token);
  await page.getByRole("button", { name: "Sign in" }).click();
}

export default function people() {
  it("shows everything to a viewer, who can change nothing", async (page, _alone) => {
    const id = await trigger("forever");
    await enter(page, VIEWER, `/runs/${id}`);
    await page.getByRole("heading", { level: 1 }).getByText("Executing").waitFor();
    assert.ok(await page.getByRole("button", { name: "Cancel run" }).isDisabled());
    assert.ok(await page.getByRole("button", { name: "Replay" }).isDisabled());
    await page.keyboard.press("c");
    assert.equal(await page.getByRole("dialog").count(), 0);
    await page.getByRole("link", { name: "API keys" }).click();
    await page.getByText("For admins").waitFor();
    await page.getByRole("link", { name: "Audit log" }).click();
    await page.getByText("For admins").waitFor();
    await page.getByRole("link", { name: "Variables" }).click();
    await page.getByText("Not for this role").waitFor();
  });

  it("leads an admin from one environment to another, and makes keys there", async (page, _alone) => {
    const id = await trigger("greet", { name: "Ada" });
    await enter(page, ADMIN, "/runs");
    const environments = page.getByRole("button", { name: /^Environment: / });
    await environments.click();
    await page.getByRole("menuitemcheckbox", { name: "dev" }).click();
    await row(page, id).waitFor();
    await environments.click();
    await page.getByRole("menuitemcheckbox", { name: "prod" }).click();
    await page.getByRole("heading", { name: "Three steps to the first run" }).waitFor();
    await page.locator("aside").getByText("Live").waitFor();
    await makesKeys(page, "prod");
  });

  it("promotes a version and goes back", async (page, _alone) => {
    await enter(page, ADMIN, "/deployments");
    await page.getByRole("button", { name: /^Environment: / }).click();
    await page.getByRole("menuitemcheckbox", { name: "prod" }).click();
    await promotes(page, ADMIN, "prod");
  });
}
