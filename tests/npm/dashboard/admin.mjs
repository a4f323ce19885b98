/* What only admins do, as the suites of several platforms do it. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { row, SERVER } from "./house.mjs";

/** A version of code that no worker has. */
export async function deploy(code, token, environment) {
  const body = { type: "deploy", bundle: btoa(code), hash: createHash("sha256").update(code).digest("hex"), manifest: { tasks: [{ id: "later", queue: "task/later" }], queues: [] } };
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json", "x-mainspring-environment": environment };
  const answer = await fetch(`${SERVER}/api/mainspring/v1/call`, { method: "POST", headers, body: JSON.stringify(body) });
  assert.ok(answer.ok, await answer.clone().text());
  return (await answer.json()).version;
}

/** Promotes one version and another, and goes back to the first. */
export async function promotes(page, token, environment) {
  const versions = [];
  for (const code of ["one", "two"]) versions.push(await deploy(code, token, environment));
  await page.getByRole("link", { name: "Deployments" }).click();
  for (const version of versions) {
    await row(page, version).getByRole("button", { name: "Promote" }).click();
    await page.getByText("no worker of it is connected").waitFor();
    await page.getByRole("button", { name: "Promote it" }).click();
    await row(page, version).getByText("current").waitFor();
  }
  await page.getByRole("button", { name: "Roll back" }).click();
  await row(page, versions[0]).getByText("current").waitFor();
}

/** Makes a key, gives it another secret, revokes it, and reads who did that. */
export async function makesKeys(page, environment) {
  const secret = new RegExp(`^tr_${environment}_sk_`);
  await page.getByRole("link", { name: "API keys" }).click();
  await page.getByRole("button", { name: "New key" }).click();
  await page.getByLabel("Label").fill("billing");
  await page.getByRole("button", { name: "Make it" }).click();
  await page.getByText(secret).waitFor();
  await page.keyboard.press("Escape");
  await row(page, "billing").getByRole("button", { name: "Rotate" }).click();
  await page.getByRole("dialog").getByText(secret).waitFor();
  await page.keyboard.press("Escape");
  const made = row(page, "billing").first();
  await made.getByRole("button", { name: "Revoke" }).click();
  await page.getByRole("button", { name: "Revoke it" }).click();
  await made.getByText("revoked").waitFor();
  await page.getByRole("link", { name: "Audit log" }).click();
  await row(page, "keys.revoke").first().getByText("person").waitFor();
}
