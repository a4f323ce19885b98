/* The other pages: what each shows, and what can be done there. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { deploy } from "./admin.mjs";
import { api, it, KEY, SERVER, trigger, until, unusable, violations } from "./house.mjs";

const open = (page, path) => page.goto(`${SERVER}${path}`);

export default function pages() {
  it("tries a task with a form made from its schema", async (page) => {
    await open(page, "/tasks");
    await page.getByRole("link", { name: "Test count" }).click();
    await page.getByLabel("to *").fill("2");
    await page.getByRole("button", { name: "As JSON" }).click();
    assert.equal(JSON.parse(await page.getByRole("textbox", { name: "Payload" }).inputValue()).to, 2);
    await page.getByRole("button", { name: "As a form" }).click();
    await page.getByRole("button", { name: "Templates" }).click();
    await page.getByLabel("Name of the template").fill("twice");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByLabel("to *").fill("9");
    await page.getByRole("button", { name: "Templates" }).click();
    await page.getByRole("button", { name: "twice", exact: true }).click();
    await page.getByLabel("Tags").fill("tried");
    assert.deepEqual([...(await unusable(page)), ...(await violations(page, "Test"))], []);
    await page.getByRole("button", { name: "Run", exact: true }).click();
    await page.getByRole("heading", { level: 1 }).getByText("Completed").waitFor();
    const run = await api("GET", `/api/v3/runs/${new URL(page.url()).pathname.split("/").at(-1)}`);
    assert.deepEqual([run.output, run.isTest, run.tags], [2, true, ["tried"]]);
  });

  it("pauses a queue, says why its runs wait, and changes its limit", async (page) => {
    await open(page, "/queues");
    await page.getByRole("button", { name: "Pause task/paused" }).click();
    await page.getByRole("button", { name: "Resume task/paused" }).waitFor();
    const id = await trigger("paused", { value: 1 });
    const stands = page.getByRole("row").filter({ hasText: "task/paused" });
    await stands.getByRole("link", { name: "1 queued in task/paused" }).waitFor();
    await stands.getByText("–").waitFor({ state: "detached" }); // how long the oldest waits
    await page.getByRole("row").filter({ hasText: "narrow" }).getByTitle("0 run now").getByText("0 / 3").waitFor();
    await page.getByRole("button", { name: "Keys of task/paused" }).click();
    await page.getByRole("table", { name: "Concurrency keys" }).getByText("no key").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Why do runs of task/paused wait?" }).click();
    await page.getByRole("dialog").getByText(/is paused/).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Resume task/paused" }).click();
    await until(id, "COMPLETED");
    await page.getByRole("button", { name: "Limit of overridden" }).click();
    await page.getByLabel("Runs at once").fill("7");
    await page.getByRole("button", { name: "Set", exact: true }).click();
    await page.getByText("set here, the code says 2").waitFor();
    await page.getByRole("button", { name: "Limit of overridden" }).click();
    await page.getByRole("button", { name: "Back to the code's" }).click();
    await page.getByText("set here").waitFor({ state: "detached" });
  });

  it("makes, runs, changes, pauses and deletes a schedule", async (page) => {
    await open(page, "/schedules");
    await page.getByRole("button", { name: "New schedule" }).click();
    await page.getByLabel("Task").selectOption("tick");
    await page.getByLabel("Cron expression").fill("30 4 1 1 *");
    await page.getByLabel("Time zone").fill("Europe/Berlin");
    await page.getByText(/^Next: .*04:30|^Next: .*4:30/).waitFor();
    await page.getByRole("button", { name: "Make it" }).click();
    await page.getByText("30 4 1 1 *").waitFor();
    await page.getByRole("cell", { name: /^At 04:30 on January 1/ }).waitFor();
    await page.getByRole("img", { name: "Ticks: none" }).waitFor();
    await page.getByRole("button", { name: "Change the schedule of tick" }).click();
    await page.getByLabel("Cron expression").fill("0 */2 * * *");
    await page.getByRole("button", { name: "Change it" }).click();
    await page.getByRole("cell", { name: /^At minute 0 past every second hour/ }).waitFor();
    await page.getByRole("img", { name: "Ticks: 12" }).waitFor();
    await page.getByRole("button", { name: "7 days" }).click();
    await page.waitForURL("**/schedules?days=7");
    await page.getByRole("img", { name: "Ticks: 48 or more" }).waitFor();
    await page.getByRole("button", { name: "Run tick now" }).click();
    const made = await page.getByRole("link", { name: "a run of tick" }).getAttribute("href");
    assert.ok((await until(made.split("/").at(-1), "COMPLETED")).schedule);
    await page.getByRole("button", { name: "Pause the schedule of tick" }).click();
    await page.getByText("rests").waitFor();
    await page.getByRole("button", { name: "Activate the schedule of tick" }).click();
    await page.getByText("rests").waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Delete the schedule of tick" }).click();
    await page.getByRole("button", { name: "Delete it" }).click();
    await page.getByText("No schedules yet").waitFor();
  });

  it("approves what waits for a token", async (page) => {
    const { id } = await api("POST", "/api/v1/waitpoints/tokens", {});
    await open(page, "/tokens?status=waiting");
    await page.getByRole("button", { name: "New token" }).click();
    await page.getByText(/^Made waitpoint_/).waitFor();
    const row = page.getByRole("row").filter({ hasText: id });
    await row.getByRole("button", { name: "Complete", exact: true }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Comment").fill("looks right");
    await dialog.getByRole("button", { name: "Approve" }).click();
    await row.waitFor({ state: "detached" });
    const token = await api("GET", `/api/v1/waitpoints/tokens/${id}`);
    assert.deepEqual([token.status, JSON.parse(token.output)], ["COMPLETED", { approved: true, comment: "looks right" }]);
  });

  it("shows what waits for a person, and what it is about", async (page) => {
    const token = await api("POST", "/api/v1/waitpoints/tokens", { tags: ["budget"] });
    const id = await trigger("approve", { token: token.id });
    await open(page, "/approvals");
    const question = page.getByRole("listitem").filter({ hasText: token.id });
    await question.getByText("budget").waitFor();
    assert.deepEqual([...(await unusable(page)), ...(await violations(page, "Approval"))], []);
    await question.getByLabel("Comment").focus();
    await page.keyboard.type("too dear");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await question.waitFor({ state: "detached" });
    assert.deepEqual((await until(id, "COMPLETED")).output, { approved: false, comment: "too dear" });
  });

  it("lists batches and leads to their runs", async (page) => {
    const made = await api("POST", "/api/v2/tasks/batch", { items: [{ task: "echo" }, { task: "echo" }] });
    await open(page, "/batches");
    const row = page.getByRole("row").filter({ hasText: made.id });
    await row.getByText("completed").waitFor();
    await row.getByText("2 / 2").waitFor();
    await row.getByRole("link", { name: made.id }).click();
    await page.waitForURL(`**/runs?batch=${made.id}`);
    await page.getByTestId("rows").getByRole("row").nth(1).waitFor();
  });

  it("counts runs by status and leads to them", async (page) => {
    await until(await trigger("fail", { reason: "counted" }), "FAILED");
    await open(page, "/overview");
    await page.getByRole("region", { name: "Ended in the last 24 hours" }).getByRole("link", { name: /^Failed \d/ }).click();
    await page.waitForURL("**/runs?status=failed&period=1d");
    await page.getByTestId("rows").getByRole("row").first().waitFor();
  });

  it("groups runs that fail alike, and settles them until they come back", async (page) => {
    const first = await trigger("jam", { reason: "the tray is empty" });
    await until(first, "FAILED");
    await open(page, "/errors");
    const row = page.getByRole("row").filter({ hasText: "jam" });
    await row.getByRole("img", { name: /by the hour, at most 1/ }).waitFor();
    await row.getByRole("link", { name: "AbortRun" }).click();
    await page.getByRole("region", { name: "When it happened" }).getByRole("img").waitFor();
    await page.getByRole("table", { name: "Its runs" }).getByRole("link", { name: first }).waitFor();
    await page.getByText("raise AbortRun(reason)").waitFor();
    await page.getByRole("button", { name: "Mute" }).click();
    await page.getByRole("button", { name: "Open again" }).click();
    await page.getByRole("button", { name: "Resolve" }).click();
    await page.getByRole("heading", { level: 1 }).getByText("resolved").waitFor();
    await until(await trigger("jam", { reason: "the tray is empty again" }), "FAILED");
    await page.getByRole("heading", { level: 1 }).getByText("came back").waitFor();
    assert.deepEqual([...(await unusable(page)), ...(await violations(page, "Error"))], []);
  });

  it("resolves an error without a mouse", async (page) => {
    await until(await trigger("tear", { reason: "no mouse" }), "FAILED");
    await open(page, "/errors");
    const link = page.getByRole("row").filter({ hasText: "no mouse" }).getByRole("link").first();
    await link.waitFor();
    for (let tabs = 0; tabs < 60 && !(await link.evaluate((element) => element === document.activeElement)); tabs++) await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    const resolve = page.getByRole("button", { name: "Resolve" });
    await resolve.waitFor();
    for (let tabs = 0; tabs < 60 && !(await resolve.evaluate((element) => element === document.activeElement)); tabs++) await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Open again" }).waitFor();
  });

  it("finds lines of all runs, and follows them", async (page) => {
    await until(await trigger("greet", { name: "Marie" }), "COMPLETED");
    await until(await trigger("greet", { name: "Pierre" }), "COMPLETED");
    await open(page, "/logs?task=greet");
    const lines = page.getByRole("list", { name: "Lines" });
    await lines.getByText("Pierre").first().waitFor();
    await page.getByRole("img", { name: /^Lines over time: info at most [1-9]/ }).waitFor();
    await page.getByRole("searchbox", { name: "Find lines" }).fill("marie");
    await page.waitForURL("**/logs?task=greet&text=marie");
    await lines.getByText("Pierre").waitFor({ state: "detached" });
    const id = await trigger("greet", { name: "Marie Salomea" });
    await lines.getByText("Marie Salomea").waitFor();
    const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Download" }).click()]);
    assert.match(await readFile(await file.path(), "utf8"), /"name":"Marie Salomea"/);
    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByRole("button", { name: "Go live" }).click();
    await page.getByLabel("Least level").selectOption("error");
    await page.getByText("No line matches").waitFor();
    await page.getByLabel("Least level").selectOption("debug");
    await lines.getByRole("listitem").filter({ hasText: "Marie Salomea" }).getByRole("link").click();
    await page.waitForURL(`**/runs/${id}?tab=logs`);
  });

  it("draws what was measured, for a time and a task that stand in the address", async (page) => {
    await until(await trigger("echo", { value: 1 }), "COMPLETED");
    await open(page, "/charts");
    const ended = page.getByRole("region", { name: "Runs that ended" });
    await ended.getByRole("img", { name: /Completed at most \d/ }).waitFor();
    await page.getByRole("button", { name: "6h" }).click();
    await page.waitForURL("**/charts?range=6h");
    await page.getByLabel("task", { exact: true }).selectOption("held");
    await page.waitForURL("**/charts?range=6h&task=held");
    await ended.getByText("Nothing in this time.").waitFor();
    await page.goto(`${SERVER}/tasks`);
    await page.getByRole("row").filter({ hasText: "Its input is its output." }).getByRole("img", { name: "Runs of echo that ended" }).waitFor();
  });

  it("keeps variables and secrets, and takes those of a file", async (page) => {
    await open(page, "/variables");
    await page.getByRole("button", { name: "New variable" }).click();
    await page.getByLabel("Name").fill("PRINTER");
    await page.getByLabel("Value").fill("p-3");
    await page.getByRole("button", { name: "Save" }).click();
    const row = (name) => page.getByRole("row").filter({ hasText: name });
    await row("PRINTER").getByText("p-3").waitFor();
    await page.getByRole("button", { name: "Import .env" }).click();
    await page.getByLabel("Lines").fill('# of the house\nexport DOOR_CODE="1 2 3"\nPRINTER=p-4 # the new one');
    await page.getByRole("button", { name: "Set 2" }).click();
    await row("DOOR_CODE").getByText("secret", { exact: true }).waitFor();
    assert.ok(!(await page.locator("main").innerText()).includes("1 2 3"));
    await page.getByRole("button", { name: "Change DOOR_CODE" }).click();
    assert.equal(await page.getByLabel("Value").inputValue(), "");
    await page.getByLabel("Value").fill("4 5 6");
    await page.getByRole("button", { name: "Save" }).click();
    for (const name of ["PRINTER", "DOOR_CODE"]) {
      await page.getByRole("button", { name: `Delete ${name}` }).click();
      await page.getByRole("button", { name: "Delete it" }).click();
      await row(name).waitFor({ state: "detached" });
    }
    await page.getByText(/^No variables in/).waitFor();
  });

  it("shows before a promotion which runs wait in other versions", async (page) => {
    const token = await api("POST", "/api/v1/waitpoints/tokens", {});
    const id = await trigger("approve", { token: token.id });
    await open(page, `/runs/${id}`);
    await page.getByRole("heading", { level: 1 }).getByText("Waiting").waitFor();
    const version = await deploy("never promoted", KEY, "dev");
    await open(page, "/deployments");
    await page.getByRole("row").filter({ hasText: version }).getByRole("button", { name: "Promote" }).click();
    const waiting = page.getByRole("table", { name: "Pre-flight" }).getByRole("row").filter({ hasText: "approve" }).first();
    await waiting.getByText("no such task").waitFor();
    assert.ok(await waiting.getByRole("link", { name: "approve" }).isVisible());
    assert.deepEqual([...(await unusable(page)), ...(await violations(page, "Promotion"))], []);
    await page.getByRole("button", { name: "Leave it" }).click();
    await api("POST", `/api/v2/runs/${id}/cancel`);
  });

  it("tells of the session, and changes the theme", async (page, _alone) => {
    await open(page, "/settings");
    await page.getByText(process.env.SIGNED_IN ? /^key / : "the developer of this machine").first().waitFor();
    await page.locator("main").getByRole("button", { name: "Use dark" }).click();
    await page.locator("html[data-theme=dark]").waitFor();
    await page.reload();
    await page.locator("main").getByRole("button", { name: "Use light" }).waitFor();
    await page.getByText(`MAINSPRING_URL=${SERVER}`).waitFor();
  });

  it("shows the workers that are connected", async (page) => {
    await open(page, "/workers");
    const row = page.getByRole("row").filter({ hasText: "connected" }).first();
    await row.getByText(/pid \d+/).waitFor();
    await row.getByRole("link", { name: "approve" }).waitFor();
  });
}
