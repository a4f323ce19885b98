/* The dashboard of `mainspring server`, which wants a sign-in. */

import assert from "node:assert/strict";
import { it, KEY, row, SERVER, trigger, unusable, until, violations } from "./house.mjs";

export default function server() {
  it("asks who is there, and lets in who has a key", async (page, context) => {
    const id = await trigger("greet", { name: "Ada" });
    await until(id, "COMPLETED");
    await page.goto(`${SERVER}/runs/${id}?tab=logs`);
    const field = page.getByLabel("Personal token or secret key");
    await field.fill(`${KEY.slice(0, -1)}!`);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").waitFor();
    assert.deepEqual(await unusable(page), []);
    await field.fill(KEY);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("greeting").waitFor();
    assert.ok(!(await page.evaluate(() => document.cookie)).includes("tr_"));

    await page.goto(`${SERVER}/runs`);
    await page.locator("aside").getByText("Live").waitFor();
    const other = await trigger("forever");
    await row(page, other).getByText("Executing").waitFor();
    await page.goto(`${SERVER}/runs/${other}`);
    await page.getByRole("heading", { level: 1 }).getByText("Executing").waitFor();
    await page.keyboard.press("c");
    await page.getByRole("button", { name: "Cancel it" }).click();
    await page.getByRole("heading", { level: 1 }).getByText("Canceled").waitFor();

    await page.getByRole("button", { name: "Sign out" }).click();
    await field.waitFor();
    assert.deepEqual(await context.cookies(), []);
  }, { loud: /401/ });

  it("leads back from an address where nothing is", async (page, context) => {
    await context.request.post(`${SERVER}/api/mainspring/v1/session`, { data: { token: KEY }, headers: { origin: new URL(SERVER).origin } });
    for (const [address, way, heading] of [["/nonsense", "To the overview", "Overview"], ["/runs/a/b", "To the runs", "Runs"]]) {
      const answer = await page.goto(`${SERVER}${address}`);
      assert.equal(answer.status(), 404);
      await page.getByRole("heading", { level: 1, name: "There is no such page" }).waitFor();
      assert.deepEqual([...(await unusable(page)), ...(await violations(page, "No page"))], []);
      await page.getByRole("link", { name: way }).click();
      await page.getByRole("heading", { level: 1, name: heading }).waitFor();
    }
  }, { loud: /404/ });
}
