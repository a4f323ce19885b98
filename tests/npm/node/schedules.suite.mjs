/* Schedules: made, listed, changed, switched off; firing is another suite's business. */

import assert from "node:assert/strict";
import { schedules } from "@trigger.dev/sdk";
import { it, unique } from "./harness.mjs";

const make = (deduplicationKey, more = {}) =>
  schedules.create({ task: "tick", cron: "0 9 * * 1-5", deduplicationKey, ...more });

export default function () {
  it("schedules.create answers with the next run and the words for the pattern", async () => {
    const externalId = unique("user");
    const made = await make(unique("s"), { timezone: "Europe/Paris", externalId });
    assert.match(made.id, /^sched_/);
    assert.equal(made.type, "IMPERATIVE");
    assert.equal(made.task, "tick");
    assert.equal(made.active, true);
    assert.equal(made.externalId, externalId);
    assert.equal(made.timezone, "Europe/Paris");
    assert.equal(made.generator.type, "CRON");
    assert.equal(made.generator.expression, "0 9 * * 1-5");
    assert.ok(made.generator.description.length > 5);
    assert.ok(made.nextRun instanceof Date && made.nextRun > new Date());
    const paris = new Intl.DateTimeFormat("en-GB", { timeZone: "Europe/Paris", hour: "numeric" });
    assert.equal(paris.format(made.nextRun), "09");
    assert.ok(made.environments.length >= 1);
  });

  it("the same deduplication key updates", async () => {
    const key = unique("s");
    const first = await make(key);
    const second = await make(key, { cron: "*/5 * * * *" });
    assert.equal(second.id, first.id);
    assert.equal((await schedules.retrieve(first.id)).generator.expression, "*/5 * * * *");
  });

  it("schedules.update, deactivate, activate and del change what retrieve shows", async () => {
    const { id } = await make(unique("s"));
    const updated = await schedules.update(id, { task: "tick", cron: "0 0 1 * *" });
    assert.equal(updated.generator.expression, "0 0 1 * *");
    assert.equal((await schedules.deactivate(id)).active, false);
    assert.equal((await schedules.retrieve(id)).active, false);
    assert.equal((await schedules.activate(id)).active, true);
    assert.equal((await schedules.del(id)).id, id);
    await assert.rejects(schedules.retrieve(id), { status: 404 });
  });

  it("schedules.list walks numbered pages", async () => {
    const made = [];
    for (let n = 0; n < 3; n++) made.push((await make(unique("s"))).id);
    const found = [];
    for await (const schedule of schedules.list({ perPage: 2 })) found.push(schedule.id);
    for (const id of made) assert.ok(found.includes(id));
    assert.equal(new Set(found).size, found.length);
  });

  it("a pattern, a zone or a task that cannot be is refused as unprocessable", async () => {
    await assert.rejects(make(unique("s"), { cron: "61 * * * *" }), { status: 422 });
    await assert.rejects(make(unique("s"), { timezone: "Moon/Crater" }), { status: 422 });
  });

  it("schedules.timezones knows zones, UTC first", async () => {
    const { timezones } = await schedules.timezones();
    assert.equal(timezones[0], "UTC");
    assert.ok(timezones.includes("Europe/Paris"));
    const without = await schedules.timezones({ excludeUtc: true });
    assert.ok(!without.timezones.includes("UTC"));
  });
}
