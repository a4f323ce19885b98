/* Bulk actions, deployments, replays with other options. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { deployments, runs, tasks } from "@trigger.dev/sdk";
import { ended, it, SECRET_KEY, unique, URL_OF_SERVER } from "./harness.mjs";

/** What the official SDK has no verb for. */
async function deploying(method, path, body) {
  const headers = { authorization: `Bearer ${SECRET_KEY}` };
  const url = `${URL_OF_SERVER}/api/v1/deployments${path}`;
  const response = await fetch(url, { method, headers, body });
  assert.equal(response.status, 200);
  return response.json();
}

export default function () {
  it("runs.bulk.cancel ends all runs of a filter and counts them", async () => {
    const tag = unique("bulk");
    const handles = [];
    for (let n = 0; n < 3; n++) {
      handles.push(await tasks.trigger("echo", {}, { tags: [tag], delay: "1h" }));
    }
    const { id } = await runs.bulk.cancel({ filter: { tag: [tag] }, name: "tidy" });
    const done = await runs.bulk.poll(id, { pollIntervalMs: 50 });
    assert.equal(done.status, "COMPLETED");
    assert.deepEqual(done.counts, { total: 3, success: 3, failure: 0 });
    assert.equal(done.name, "tidy");
    for (const handle of handles) assert.equal((await ended(handle)).status, "CANCELED");
    const listed = await runs.bulk.list();
    assert.ok(listed.data.some((action) => action.id === id));
    assert.equal((await runs.bulk.retrieve(id)).type, "CANCEL");
  });

  it("runs.bulk.replay makes new runs of the named ones", async () => {
    const tag = unique("again");
    const handle = await tasks.trigger("echo", { value: 1 }, { tags: [tag] });
    await ended(handle);
    const { id } = await runs.bulk.replay({ runIds: [handle.id] });
    const done = await runs.bulk.poll(id, { pollIntervalMs: 50 });
    assert.equal(done.counts.success, 1);
    const found = (await runs.list({ tag })).data;
    assert.equal(found.length, 2);
    const filtered = (await runs.list({ bulkAction: id })).data;
    assert.equal(filtered.length, 1);
    assert.notEqual(filtered[0].id, handle.id);
  });

  it("a run for a deployment waits until there is one of that id", async () => {
    const externalDeploymentId = unique("commit");
    const handle = await tasks.trigger("echo", { value: 1 }, { externalDeploymentId });
    assert.equal((await runs.retrieve(handle.id)).status, "PENDING_VERSION");
    const listed = await runs.list({ status: "PENDING_VERSION", taskIdentifier: "echo" });
    assert.ok(listed.data.some((run) => run.id === handle.id));
    for await (const run of runs.subscribeToRun(handle.id)) {
      assert.equal(run.status, "PENDING_VERSION");
      break;
    }
    await runs.cancel(handle.id);
    assert.equal((await ended(handle)).status, "CANCELED");
  });

  it("a deployment that was made by requests is listed, and runs wait for it", async () => {
    const code = gzipSync(Buffer.from(unique("code")));
    const contentHash = createHash("sha256").update(code).digest("hex");
    const externalId = unique("commit");
    const handle = await tasks.trigger("echo", {}, { externalDeploymentId: externalId });
    const { id } = await deploying("POST", "", JSON.stringify({ contentHash, externalId }));
    await deploying("PUT", `/${id}/bundle`, code);
    const declared = { tasks: [{ id: "echo" }], skipPromotion: true };
    const made = await deploying("POST", `/${id}/finalize`, JSON.stringify(declared));
    const listed = (await deployments.list({ status: "DEPLOYED" })).data;
    assert.equal(listed.find((one) => one.externalId === externalId).version, made.version);
    assert.notEqual((await deployments.retrieveCurrent()).version, made.version);
    assert.equal((await deploying("GET", `/${externalId}`)).worker.tasks[0].slug, "echo");
    assert.equal((await runs.retrieve(handle.id)).status, "PENDING_VERSION");
    await runs.cancel(handle.id);
    assert.equal((await ended(handle)).status, "CANCELED");
  });

  it("deployments.list takes a status, a period and a cursor", async () => {
    assert.equal((await deployments.list({ status: "FAILED" })).data.length, 0);
    const [one] = (await deployments.list({ status: "DEPLOYED", limit: 1 })).data;
    assert.equal(one.status, "DEPLOYED");
    assert.match(one.shortCode, /^\w{8}$/);
    assert.equal((await deployments.list({ period: "1d" })).data[0].id, one.id);
  });

  it("deployments.list shows the versions that workers have announced", async () => {
    const announced = (await deployments.list()).data.filter((one) => one.externalId === null);
    assert.equal(announced[0].status, "DEPLOYED");
    assert.equal((await deployments.retrieveCurrent()).version, announced[0].version);
  });

  it("runs.replay takes another payload, tags and metadata", async () => {
    const run = await tasks.trigger("echo", { value: 1 }).then(ended);
    const tag = unique("replayed");
    const replayed = await runs.replay(run.id, {
      payload: { value: new Date(0) },
      tags: [tag],
      metadata: { why: "test" },
    });
    const again = await ended(replayed.id);
    assert.equal(again.output, "1970-01-01T00:00:00.000Z");
    assert.deepEqual(again.tags, [tag]);
    assert.equal(again.metadata.why, "test");
  });
}
