/* A reporter of node:test: one JSON line a test, for the pytest side. */

export default async function* reporter(source) {
  for await (const { type, data } of source) {
    if (type === "test:diagnostic" && data.level === "error") {
      yield `${JSON.stringify({ name: "diagnostic", ok: false, error: data.message })}\n`;
    }
    if (type !== "test:pass" && type !== "test:fail") continue;
    if (data.details.type === "suite") continue;
    const error = data.details.error;
    const cause = error?.cause ?? error;
    yield `${JSON.stringify({
      name: data.name,
      ok: type === "test:pass" && data.skip === undefined && data.todo === undefined,
      ms: Math.round(data.details.duration_ms),
      error: error === undefined ? undefined : (cause.stack ?? String(cause)),
    })}\n`;
  }
}
