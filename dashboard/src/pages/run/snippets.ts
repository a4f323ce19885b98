/* The trigger of a run as a line for a shell or a program. */

import { at, chosenEnvironment } from "../../api/call.ts";
import type { Run } from "../../api/types.ts";
import { parsed } from "../../ui/json.tsx";

const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

/** JSON as Python would write it. */
function python(value: unknown): string {
  if (value === null) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (Array.isArray(value)) return `[${value.map(python).join(", ")}]`;
  if (typeof value === "object") return `{${Object.entries(value as object).map(([key, one]) => `${JSON.stringify(key)}: ${python(one)}`).join(", ")}}`;
  return JSON.stringify(value);
}

export type Language = "curl" | "Python" | "TypeScript";
export const LANGUAGES: Language[] = ["curl", "Python", "TypeScript"];

export function snippet(run: Run, language: Language): string {
  const payload = parsed(run.payload ?? "null");
  const options: Record<string, unknown> = {};
  if (run.tags.length) options.tags = run.tags;
  if (run.concurrency_key) options.concurrencyKey = run.concurrency_key;
  const rest = Object.keys(options).length > 0;
  const url = at("");
  switch (language) {
    case "curl": {
      const body = JSON.stringify(rest ? { payload, options } : { payload });
      return `curl -s ${url}api/v1/tasks/${encodeURIComponent(run.task)}/trigger \\\n  -H "Authorization: Bearer $MAINSPRING_SECRET_KEY" \\\n  -d ${quote(body)}`;
    }
    case "Python": {
      const more = run.tags.length ? `, tags=${python(run.tags)}` : "";
      return `from mainspring import Client\n\nasync with Client(${JSON.stringify(url.replace(/\/$/, ""))}) as client:  # MAINSPRING_SECRET_KEY of ${chosenEnvironment()}\n    handle = await client.tasks.trigger(${JSON.stringify(run.task)}, ${python(payload)}${more})\n`;
    }
    case "TypeScript":
      return `import { configure, tasks } from "@trigger.dev/sdk";\n\nconfigure({ baseURL: ${JSON.stringify(url.replace(/\/$/, ""))}, accessToken: process.env.MAINSPRING_SECRET_KEY });\nconst handle = await tasks.trigger(${JSON.stringify(run.task)}, ${JSON.stringify(payload, null, 2)}${rest ? `, ${JSON.stringify(options)}` : ""});\n`;
  }
}
