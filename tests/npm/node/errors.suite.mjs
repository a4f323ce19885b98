/* What the server refuses, as the SDK's own error classes, and that it does so at once. */

import assert from "node:assert/strict";
import {
  ApiError,
  AuthenticationError,
  BadRequestError,
  InternalServerError,
  NotFoundError,
  PermissionDeniedError,
  TriggerClient,
  UnprocessableEntityError,
  auth,
  query,
  runs,
  tasks,
} from "@trigger.dev/sdk";
import { URL_OF_SERVER, it, requests } from "./harness.mjs";

/** The error of a call that must fail, after one request: the SDK repeats what is not final. */
async function refusal(call) {
  const before = requests();
  const error = await call().then(
    () => assert.fail("it was not refused"),
    (error) => error,
  );
  assert.ok(error instanceof ApiError, String(error));
  assert.equal(requests(), before + 1, "the SDK tried again");
  return error;
}

export default function () {
  it("an unknown run is NotFoundError, at once", async () => {
    const error = await refusal(() => runs.retrieve("run_000000000000000000000000"));
    assert.ok(error instanceof NotFoundError);
    assert.equal(error.status, 404);
    assert.equal(error.code, "not_found");
    assert.match(error.message, /run_0000/);
  });

  it("a task that no worker has is NotFoundError and names those there are", async () => {
    const error = await refusal(() => tasks.trigger("nowhere", {}));
    assert.ok(error instanceof NotFoundError);
    assert.equal(error.code, "unknown_task");
    assert.match(error.message, /nowhere.*echo/);
  });

  it("a wrong key is AuthenticationError", async () => {
    await auth.withAuth({ accessToken: "tr_dev_sk_wrongwrongwrongwrongwron" }, async () => {
      const error = await refusal(() => runs.retrieve("run_000000000000000000000000"));
      assert.ok(error instanceof AuthenticationError);
    });
  });

  it("what a public token does not cover is PermissionDeniedError", async () => {
    const token = await auth.createPublicToken({ scopes: { read: { tags: ["none"] } } });
    const { id } = await tasks.trigger("greet", {});
    await auth.withAuth({ accessToken: token }, async () => {
      const error = await refusal(() => runs.retrieve(id));
      assert.ok(error instanceof PermissionDeniedError);
      assert.equal(error.param, "access_token");
    });
  });

  it("what this release does not have is refused with a code, at once", async () => {
    const error = await refusal(() => query.execute("SELECT 1"));
    assert.ok(error instanceof InternalServerError);
    assert.equal(error.code, "not_built");
  });

  it("options that cannot be are UnprocessableEntityError", async () => {
    const tags = Array.from({ length: 11 }, (_, n) => `tag-${n}`);
    const error = await refusal(() => tasks.trigger("echo", { value: 1 }, { tags }));
    assert.ok(error instanceof UnprocessableEntityError);
    assert.match(error.message, /10/);
  });

  it("a payload that does not fit the Python task is refused with what is wrong", async () => {
    const error = await refusal(() => tasks.trigger("tomorrow", { at: "soon", more: 1 }));
    assert.ok(error instanceof UnprocessableEntityError);
    assert.equal(error.code, "invalid_payload");
    assert.deepEqual(
      error.body.details.map((detail) => detail.path),
      ["more"],
    );
  });

  it("a filter that cannot be is BadRequestError", async () => {
    const error = await refusal(() => runs.list({ status: "SLEEPING" }));
    assert.ok(error instanceof BadRequestError);
  });

  it("a client of its own has its own address and key", async () => {
    const client = new TriggerClient({
      baseURL: `${URL_OF_SERVER}/`,
      accessToken: process.env.MAINSPRING_SECRET_KEY,
    });
    const handle = await client.tasks.trigger("greet", { name: "client" });
    const run = await client.runs.poll(handle, { pollIntervalMs: 50 });
    assert.equal(run.output, "Hello, client!");
  });
}
