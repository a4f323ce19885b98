/* The changes of a run's state in order, told from its row and its spans. */

import { isFinal, type Run, type Span } from "../../api/types.ts";
import { statusWord } from "../../ui/status.tsx";
import { isRun, kindOf } from "./tree.ts";

export interface Moment {
  at: number;
  text: string;
  tone: "good" | "bad" | "wait" | "busy" | "off";
}

const NOT_WAITS = new Set(["step", "checkpoint", "trigger", "span", "lost"]);

export function momentsOf(run: Run, spans: Span[]): Moment[] {
  const found: Moment[] = [{ at: run.created_at, text: run.delayed_until ? "Created, delayed" : "Created", tone: "off" }];
  if (run.delayed_until !== null && run.started_at !== null) found.push({ at: run.delayed_until, text: "Ready to start", tone: "off" });
  for (const span of spans) {
    if (span.run_id !== run.id || isRun(span) || NOT_WAITS.has(span.kind)) continue;
    const attempt = span.kind === "attempt";
    const what = attempt ? span.message : kindOf(span).word;
    found.push({ at: span.started_at, text: attempt ? `${what} begins` : `Begins to ${what}`, tone: attempt ? "busy" : "wait" });
    if (span.ended_at === null) continue;
    if (!attempt) found.push({ at: span.ended_at, text: span.is_error ? `${what} failed` : "Goes on", tone: span.is_error ? "bad" : "busy" });
    else if (span.is_error) found.push({ at: span.ended_at, text: `${what} fails`, tone: "bad" });
  }
  if (run.retry_at !== null) found.push({ at: run.retry_at, text: `Attempt ${run.attempt} is due`, tone: "wait" });
  if (run.cancel_requested_at !== null) found.push({ at: run.cancel_requested_at, text: "Cancel is asked for", tone: "off" });
  if (run.finished_at !== null && isFinal(run.status)) {
    const tone = run.status === "completed" ? "good" : run.status === "canceled" || run.status === "expired" ? "off" : "bad";
    found.push({ at: run.finished_at, text: statusWord(run.status), tone });
  }
  return found.sort((a, b) => a.at - b.at);
}
