/* One run. */

import assert from "node:assert/strict";
import { api, call, it, overtaken, SERVER, trigger, until, unusable, violations } from "./house.mjs";

const open = (page, id, query = "") => page.goto(`${SERVER}/runs/${id}${query}`);

export default function run() {
  it("shows what happened as a waterfall with the children in it", async (page) => {
    const id = await trigger("nested", { n: 7 });
    await until(id, "COMPLETED");
    await open(page, id);
    await page.getByRole("treeitem", { name: /^run nested/ }).waitFor();
    await page.getByRole("treeitem", { name: /^run echo/ }).click();
    await page.getByRole("tabpanel").getByText("Completed").waitFor();
    await page.getByRole("treeitem", { name: /^run nested/ }).click();
    await page.getByRole("tabpanel").getByText(/^[0-9a-f]{32}$/).waitFor();
    assert.deepEqual([...(await unusable(page)), ...(await violations(page, "Run"))], []);
    await page.keyboard.press("w");
    await page.getByRole("treeitem", { name: /^run echo/ }).waitFor({ state: "detached" });
    await page.getByRole("tab", { name: "Output" }).click();
    await page.getByText('"child"').or(page.getByText("child:")).waitFor();
  });

  it("goes through the waterfall as quickly as keys are pressed", async (page) => {
    const id = await trigger("refine", { n: 1 });
    await until(id, "COMPLETED");
    await open(page, id);
    const rows = page.getByRole("treeitem");
    await rows.nth(3).waitFor();
    await Promise.all(["ArrowDown", "ArrowDown", "ArrowDown", "+"].map((key) => page.keyboard.press(key)));
    await page.getByRole("button", { name: "The whole" }).waitFor();
    assert.deepEqual(await rows.evaluateAll((all) => all.map((one) => one.ariaSelected)), ["false", "false", "false", "true"]);
    await page.waitForURL(/span=.*zoom=|zoom=.*span=/);
  });

  it("shows an end that comes before the first answer that is on its way", async (page, context) => {
    const id = await trigger("forever");
    await until(id, "EXECUTING");
    await overtaken(page, context, { type: "inspect", topic: "run" }, async () => {
      await api("POST", `/api/v2/runs/${id}/cancel`);
      await until(id, "CANCELED");
    });
    await page.goto(`${SERVER}/runs/${id}`);
    await page.getByRole("heading", { level: 1 }).getByText("Canceled").waitFor();
  });

  it("stays where one has scrolled to when rows above the chosen one go", async (page) => {
    const id = await trigger("echo", { value: 1 });
    await until(id, "COMPLETED");
    const trace = await call("trace", { run_id: id });
    const [run] = trace.spans;
    const step = (name, parent_id) => ({ ...run, id: name, kind: "step", message: name, parent_id, key: name, status: null });
    const steps = Array.from({ length: 100 }, (_, n) => step(`s${n}`, n < 50 ? "a" : "b"));
    const json = { ...trace, spans: [run, step("a", run.id), step("b", run.id), ...steps] };
    await page.route("**/api/mainspring/v1/call", (route) => (route.request().postDataJSON().type === "trace" ? route.fulfill({ json }) : route.continue()));
    await page.goto(`${SERVER}/runs/${id}?span=s99`);
    await page.getByRole("treeitem", { name: "step s99" }).waitFor();
    await page.getByRole("tree").evaluate((element) => element.scrollTo(0, 0));
    await page.getByRole("treeitem", { name: "step a," }).getByRole("button", { name: "Close" }).click();
    await page.getByRole("treeitem", { name: "step s50" }).waitFor();
    assert.equal(await page.getByRole("treeitem", { name: "step s99" }).count(), 0);
    assert.equal(await page.getByRole("tree").evaluate((element) => element.scrollTop), 0);
  });

  it("zooms into the waterfall by keys, brush and wheel, and keeps that in the address", async (page) => {
    const id = await trigger("count", { to: 3, pause: 0.1 });
    await until(id, "COMPLETED");
    await open(page, id);
    const whole = page.getByRole("button", { name: "The whole" });
    await page.getByRole("treeitem").first().waitFor();
    await page.keyboard.press("+");
    await whole.waitFor();
    await page.waitForURL(/zoom=\d+-\d+/);
    await page.reload();
    await whole.click();
    await page.waitForURL((url) => !url.searchParams.has("zoom"));
    const axis = await page.getByTitle("Drag to look at a part").boundingBox();
    await page.mouse.move(axis.x + axis.width * 0.25, axis.y + 8);
    await page.mouse.down();
    await page.mouse.move(axis.x + axis.width * 0.5, axis.y + 8, { steps: 3 });
    await page.mouse.up();
    await page.waitForURL(/zoom=/);
    const length = () => new URL(page.url()).searchParams.get("zoom").split("-").reduce((from, to) => to - from);
    const before = length();
    await page.mouse.move(axis.x + axis.width * 0.5, axis.y + 50);
    await page.keyboard.down("Control");
    await page.mouse.wheel(0, -300);
    await page.keyboard.up("Control");
    await page.waitForURL((url) => url.searchParams.get("zoom")?.split("-").reduce((from, to) => to - from) < before);
    assert.deepEqual(await unusable(page), []);
    await page.keyboard.press("0");
    await whole.waitFor({ state: "detached" });
  }, { once: true });

  it("lets somebody decide how a run goes on whose code has changed", async (page) => {
    const id = await trigger("wander");
    await open(page, id);
    await page.getByRole("treeitem", { name: /^attempt Attempt 2, (?!going on)/ }).waitFor();
    await page.getByRole("treeitem", { name: /^wait for a decision double, going on/ }).waitFor();
    await page.getByRole("button", { name: "Decide how it goes on" }).click();
    await page.getByRole("radio", { name: /^Leave it to the old code/ }).check();
    await page.getByLabel("Version", { exact: true }).waitFor();
    assert.deepEqual([...(await unusable(page)), ...(await violations(page, "Decision"))], []);
    await page.getByRole("radio", { name: /^Take the stored result/ }).check();
    await page.getByRole("button", { name: "Go on so" }).click();
    await page.getByRole("heading", { level: 1 }).getByText("Completed").waitFor();
    await page.getByRole("treeitem", { name: /^wait for a decision/ }).waitFor({ state: "detached" });
    assert.equal((await until(id, "COMPLETED")).output, 2);
  });

  it("goes on with another result of a step", async (page) => {
    const id = await trigger("refine", { n: 1 });
    await until(id, "COMPLETED");
    await open(page, id);
    await page.getByRole("treeitem", { name: /^step double/ }).click();
    await page.getByRole("button", { name: "Go on with another result" }).click();
    await page.getByRole("textbox", { name: "Result" }).fill("21");
    await page.getByRole("button", { name: "Restart", exact: true }).click();
    await page.waitForURL((url) => !url.pathname.endsWith(id));
    assert.equal((await until(new URL(page.url()).pathname.split("/").at(-1), "COMPLETED")).output, 42);
  });

  it("follows metadata and status while the run goes on, and cancels it", async (page) => {
    const id = await trigger("forever");
    await open(page, id, "?tab=metadata");
    await page.getByText('"running"').waitFor();
    await page.keyboard.press("c");
    await page.getByRole("button", { name: "Cancel it" }).click();
    await page.getByRole("heading", { level: 1 }).getByText("Canceled").waitFor();
    await until(id, "CANCELED");
  });

  it("shows the error of a failed run first", async (page) => {
    const id = await trigger("fail", { reason: "the printer is on fire" });
    await until(id, "FAILED");
    await open(page, id);
    const panel = page.getByRole("tabpanel", { name: "Error" });
    await panel.getByText("the printer is on fire").first().waitFor();
    await panel.getByRole("listitem").first().getByText("raise AbortRun(reason)").waitFor();
    await panel.getByRole("button", { name: "As text" }).click();
    await panel.getByText(/^Traceback/).waitFor();
    await page.getByRole("tab", { name: "Timeline" }).click();
    const told = await page.getByRole("list", { name: "Changes of its state" }).getByRole("listitem").allInnerTexts();
    assert.deepEqual([told[0].split("\n")[0], told.at(-1).split("\n")[0]], ["Created", "Failed"]);
    await page.getByRole("tab", { name: "Context" }).click();
    await page.getByRole("region", { name: "Context" }).getByText(id).waitFor();
    assert.deepEqual([...(await unusable(page)), ...(await violations(page, "Failed run"))], []);
  });

  it("restarts from an entry of the journal", async (page) => {
    const id = await trigger("nested", { n: 7 });
    await until(id, "COMPLETED");
    await open(page, id);
    await page.getByRole("treeitem", { name: /^trigger / }).first().click();
    await page.getByRole("region", { name: "Result" }).waitFor();
    await page.getByRole("button", { name: "Restart from here" }).click();
    await page.getByRole("textbox", { name: "Payload" }).fill('{"n": 8}');
    await page.getByRole("button", { name: "Restart", exact: true }).click();
    await page.waitForURL((url) => !url.pathname.endsWith(id));
    const made = new URL(page.url()).pathname.split("/").at(-1);
    assert.deepEqual((await until(made, "COMPLETED")).output, { child: 8 });
  });

  it("shows what a run writes to its streams, as it comes", async (page) => {
    const id = await trigger("talk", { words: 20, pause: 0.05 });
    await open(page, id, "?tab=streams");
    await page.getByRole("log", { name: "Chunks of words" }).getByText("word 19").waitFor();
    await page.getByRole("status").filter({ hasText: /^20 chunks$/ }).waitFor();
  });

  it("shows the log live and finds lines in it", async (page) => {
    const id = await trigger("greet", { name: "Grace" });
    await open(page, id, "?tab=logs");
    await page.getByText("greeting").waitFor();
    const attempt = page.getByRole("treeitem", { name: /^attempt/ });
    const line = attempt.getByTitle("info: greeting");
    await line.waitFor();
    const [bar, mark] = [await attempt.boundingBox(), await line.boundingBox()];
    assert.ok(mark.x > bar.x + bar.width * 0.3 && mark.y >= bar.y && mark.y + mark.height <= bar.y + bar.height, "on the axis of its attempt");
    await page.getByRole("searchbox", { name: "Find in the log" }).fill("nothing like this");
    await page.getByText("No line matches.").waitFor();
    await page.getByRole("searchbox", { name: "Find in the log" }).fill("Grace");
    await page.getByText("greeting").waitFor();
  });

  it("shows the payload that a run was given", async (page) => {
    const id = await trigger("echo", { value: { order: 4711, paid: true } });
    await open(page, id);
    await page.getByRole("tab", { name: "Payload" }).click();
    const payload = page.getByRole("tabpanel", { name: "Payload" }).getByRole("region", { name: "Payload" });
    await payload.getByText("order: 4711").waitFor();
    await payload.getByText("paid: true").waitFor();
    await page.waitForURL("**/*tab=payload");
  });

  it("replays with another payload", async (page) => {
    const id = await trigger("echo", { value: 1 });
    await until(id, "COMPLETED");
    await open(page, id);
    await page.getByRole("button", { name: "Replay" }).click();
    const field = page.getByRole("textbox", { name: "Payload" });
    await field.fill("{ wrong");
    await page.getByRole("dialog").getByRole("alert").waitFor();
    assert.ok(await page.getByRole("dialog").getByRole("button", { name: "Replay" }).isDisabled());
    await field.fill('{"value": 2}');
    await page.getByRole("dialog").getByRole("button", { name: "Replay" }).click();
    await page.waitForURL((url) => !url.pathname.endsWith(id));
    const made = new URL(page.url()).pathname.split("/").at(-1);
    assert.deepEqual((await until(made, "COMPLETED")).output, 2);
  });

  it("gives a delayed run another time, and says why it does not run", async (page) => {
    const id = await trigger("echo", { value: 1 }, { delay: "1h" });
    await open(page, id);
    await page.getByText("Why it does not run:").waitFor();
    await page.getByRole("button", { name: "Reschedule" }).click();
    await page.getByLabel("Start at").fill("2037-01-02T03:04");
    await page.getByRole("button", { name: "Set", exact: true }).click();
    await page.getByText(/2037/).waitFor();
    const run = await api("GET", `/api/v3/runs/${id}`);
    assert.ok(run.delayedUntil.startsWith("2037-01-0"));
    await api("POST", `/api/v2/runs/${id}/cancel`);
  });

  it("completes the token that a run waits for", async (page) => {
    const token = await api("POST", "/api/v1/waitpoints/tokens", {});
    const id = await trigger("approve", { token: token.id });
    await open(page, id);
    await page.getByRole("button", { name: "Complete the token" }).click();
    await page.getByText("Another value").click();
    await page.getByRole("textbox", { name: "Value" }).fill('{"approved": true}');
    await page.getByRole("button", { name: "Complete", exact: true }).click();
    await page.getByRole("heading", { level: 1 }).getByText("Completed").waitFor();
    assert.deepEqual((await until(id, "COMPLETED")).output, { approved: true });
  });

  it("copies the trigger as a line for the shell", async (page, context) => {
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    const id = await trigger("echo", { value: "it's" }, { tags: ["copied"] });
    await open(page, id);
    await page.getByRole("button", { name: "Copy as" }).click();
    await page.getByRole("button", { name: "curl" }).click();
    await page.getByText("Copied the trigger as curl.").waitFor();
    const text = await page.evaluate(() => navigator.clipboard.readText());
    assert.match(text, /^curl -s http.*\/api\/v1\/tasks\/echo\/trigger/);
    assert.ok(text.includes(`'{"payload":{"value":"it'\\''s"},"options":{"tags":["copied"]}}'`));
    for (const [language, line] of [["Python", 'trigger("echo", {"value": "it\'s"}, tags=["copied"])'], ["TypeScript", 'tasks.trigger("echo"']]) {
      await page.getByRole("button", { name: "Copy as" }).click();
      await page.getByRole("button", { name: language }).click();
      await page.getByText(`Copied the trigger as ${language}.`).waitFor();
      assert.ok((await page.evaluate(() => navigator.clipboard.readText())).includes(line), language);
    }
  }, { once: true });

  it("tells of a run that is not there", async (page) => {
    await open(page, "run_nothing");
    await page.getByRole("alert").getByText(/run_nothing/).waitFor();
  }, { loud: /404/ });
}
