/* People with roles, and their environments. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { it, row, SERVER, trigger } from "./house.mjs";

const { VIEWER, ADMIN } = process.env;

async function enter(page, token, path) {
  await page.goto(`${SERVER}${path}`);
  await page.getByLabel("Personal token or secret key").fill(token);
  await page.getByRole("button", { name: "Sign in" }).click();
}

/** A version of the code of `prod`, which no worker has. */
async function deploy(code) {
  const body = { type: "deploy", bundle: btoa(code), hash: createHash("sha256").update(code).digest("hex"), manifest: { tasks: [{ id: "later", queue: "task/later" }], queues: [] } };
  const headers = { authorization: `Bearer ${ADMIN}`, "content-type": "application/json", "x-mainspring-environment": "prod" };
  const answer = await fetch(`${SERVER}/api/mainspring/v1/call`, { method: "POST", headers, body: JSON.stringify(body) });
  assert.ok(answer.ok, await answer.clone().text());
  return answer.json();
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
    await page.getByRole("link", { name: "API keys" }).click();
    await page.getByRole("button", { name: "New key" }).click();
    await page.getByLabel("Label").fill("billing");
    await page.getByRole("button", { name: "Make it" }).click();
    await page.getByText(/^tr_prod_sk_/).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("row").filter({ hasText: "billing" }).getByRole("button", { name: "Rotate" }).click();
    await page.getByRole("dialog").getByText(/^tr_prod_sk_/).waitFor();
    await page.keyboard.press("Escape");
    const made = page.getByRole("row").filter({ hasText: "billing" }).first();
    await made.getByRole("button", { name: "Revoke" }).click();
    await page.getByRole("button", { name: "Revoke it" }).click();
    await made.getByText("revoked").waitFor();
    await page.getByRole("link", { name: "Audit log" }).click();
    await page.getByRole("row").filter({ hasText: "keys.revoke" }).first().getByText("person").waitFor();
  });

  it("promotes a version and goes back", async (page, _alone) => {
    const versions = [];
    for (const code of ["one", "two"]) versions.push((await deploy(code)).version);
    await enter(page, ADMIN, "/deployments");
    await page.getByRole("button", { name: /^Environment: / }).click();
    await page.getByRole("menuitemcheckbox", { name: "prod" }).click();
    for (const version of versions) {
      const row = page.getByRole("row").filter({ hasText: version });
      await row.getByRole("button", { name: "Promote" }).click();
      await page.getByText("no worker of it is connected").waitFor();
      await page.getByRole("button", { name: "Promote it" }).click();
      await row.getByText("current").waitFor();
    }
    await page.getByRole("button", { name: "Roll back" }).click();
    await page.getByRole("row").filter({ hasText: versions[0] }).getByText("current").waitFor();
  });
}
