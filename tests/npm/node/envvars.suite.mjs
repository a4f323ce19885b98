/* Environment variables: written and read by the SDK, secrets hidden afterwards. */

import assert from "node:assert/strict";
import { envvars } from "@trigger.dev/sdk";
import { it, unique } from "./harness.mjs";

const PROJECT = "proj_default";
const variable = () => unique("VAR").replaceAll("-", "_").toUpperCase();

export default function () {
  it("envvars.create, retrieve, list and del", async () => {
    const name = variable();
    assert.equal((await envvars.create(PROJECT, "dev", { name, value: "blue" })).success, true);
    assert.deepEqual(await envvars.retrieve(PROJECT, "dev", name), {
      name,
      value: "blue",
      isSecret: false,
    });
    const found = (await envvars.list(PROJECT, "dev")).find((line) => line.name === name);
    assert.equal(found.value, "blue");
    assert.equal((await envvars.del(PROJECT, "dev", name)).success, true);
    await assert.rejects(envvars.retrieve(PROJECT, "dev", name), { status: 404 });
  });

  it("envvars.update, with the name that the SDK of today reads from the global", async (t) => {
    const name = variable();
    await envvars.create(PROJECT, "dev", { name, value: "old" });
    globalThis.name = name; // outside a task the SDK passes an undeclared `name` on
    t.after(() => delete globalThis.name);
    await envvars.update(PROJECT, "dev", name, { value: "new" });
    assert.equal((await envvars.retrieve(PROJECT, "dev", name)).value, "new");
  });

  it("envvars.upload imports many, keeping or replacing what is there", async () => {
    const [one, two] = [variable(), variable()];
    await envvars.upload(PROJECT, "dev", { variables: { [one]: "1", [two]: "2" }, override: true });
    await envvars.upload(PROJECT, "dev", { variables: { [one]: "3" }, override: true });
    assert.equal((await envvars.retrieve(PROJECT, "dev", one)).value, "3");
    assert.equal((await envvars.retrieve(PROJECT, "dev", two)).value, "2");
  });

  it("a secret is never shown again", async () => {
    const name = variable();
    await envvars.create(PROJECT, "dev", { name, value: "hunter2", isSecret: true });
    const found = await envvars.retrieve(PROJECT, "dev", name);
    assert.equal(found.isSecret, true);
    assert.ok(!found.value.includes("hunter2"));
  });
}
