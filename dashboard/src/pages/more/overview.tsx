/* What goes on, at a glance; on day one the first steps. */

import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { useAsk } from "../../api/ask.ts";
import { isFinal, type Queue, type Run, type RunPage, type Schedule, type Token } from "../../api/types.ts";
import { Page } from "../../frame/page.tsx";
import { Failure, Loading } from "../../ui/say.tsx";
import { StatusBadge, statusBar, statusWord } from "../../ui/status.tsx";
import { Ago, duration } from "../../ui/time.tsx";
import { StartCard } from "../runs/start.tsx";

const MOST = 100;
const FAILED = ["failed", "crashed", "system_failure", "timed_out"];

export function OverviewPage() {
  const [since] = useState(() => Date.now() - 86_400_000);
  const latest = useAsk<RunPage>("list", { filter: { limit: MOST } }, { follow: true });
  const failed = useAsk<RunPage>("list", { filter: { status: FAILED, created_from: since, limit: MOST } }, { follow: true });
  const queues = useAsk<{ queues: Queue[] }>("queues", {}, { follow: true });
  const tokens = useAsk<{ tokens: Token[]; next: string | null }>("tokens", { status: ["waiting"], limit: MOST }, { follow: true });
  const schedules = useAsk<{ schedules: Schedule[]; count: number }>("schedules", { limit: MOST });
  const runs = latest.data?.runs;
  if (latest.error) return <Page title="Overview"><Failure error={latest.error} retry={() => void latest.refetch()} /></Page>;
  if (!runs) return <Page title="Overview"><Loading /></Page>;
  if (runs.length === 0) return <Page title="Overview"><StartCard /></Page>;
  const sum = (field: "running" | "queued") => queues.data?.queues.reduce((total, queue) => total + queue[field], 0);
  const count = (found: unknown[] | undefined, more: unknown) => (found ? `${found.length}${more ? "+" : ""}` : undefined);
  const next = schedules.data?.schedules.filter((one) => one.active && one.next_at !== null).sort((a, b) => (a.next_at ?? 0) - (b.next_at ?? 0)).slice(0, 5) ?? [];
  const paused = queues.data?.queues.filter((queue) => queue.paused) ?? [];
  return (
    <Page title="Overview">
      <div className="grid gap-4 p-4 md:p-5">
        <div className="grid grid-cols-2 gap-3 lg:grid-cols-4">
          <Counter name="Running" value={sum("running")} to="/runs" search={{ status: "executing" }} />
          <Counter name="Queued" value={sum("queued")} to="/queues" />
          <Counter name="Failed in 24 h" value={count(failed.data?.runs, failed.data?.next)} to="/runs" search={{ status: FAILED.join(","), period: "1d" }} bad={Boolean(failed.data?.runs.length)} />
          <Counter name="Open tokens" value={count(tokens.data?.tokens, tokens.data?.next)} to="/tokens" />
        </div>
        <Card title={`The newest ${runs.length} runs`}>
          <Strip runs={runs} />
        </Card>
        <div className="grid gap-4 lg:grid-cols-2">
          <Card title="Latest failures">
            {failed.data?.runs.length ? (
              <ul>
                {failed.data.runs.slice(0, 6).map((run) => (
                  <li key={run.id} className="flex items-center gap-3 border-b border-line py-1.5 last:border-0">
                    <StatusBadge status={run.status} iconOnly />
                    <Link to="/runs/$run" params={{ run: run.id }} className="font-medium hover:underline">{run.task}</Link>
                    <span className="min-w-0 flex-1 truncate text-dim">{run.error?.message}</span>
                    <span className="text-dim"><Ago at={run.created_at} /></span>
                  </li>
                ))}
              </ul>
            ) : (
              <p className="text-dim">Nothing has failed in the last 24 hours.</p>
            )}
          </Card>
          <Card title="Next">
            {paused.length > 0 && <p className="mb-2 text-wait">Paused: {paused.map((queue) => queue.name).join(", ")}</p>}
            {next.length ? (
              <ul>
                {next.map((one) => (
                  <li key={one.id} className="flex justify-between gap-3 border-b border-line py-1.5 last:border-0">
                    <span className="truncate"><b className="font-medium">{one.task}</b> <span className="text-dim">{one.description}</span></span>
                    <span className="text-dim">{one.next_at !== null && <Ago at={one.next_at} />}</span>
                  </li>
                ))}
              </ul>
            ) : (
              <p className="text-dim">No schedule is active.</p>
            )}
          </Card>
        </div>
      </div>
    </Page>
  );
}

function Card({ title, children }: { title: string; children: React.ReactNode }) {
  return (
    <section aria-label={title} className="min-w-0 rounded-xl border border-line bg-panel p-4">
      <h2 className="mb-2 font-semibold">{title}</h2>
      {children}
    </section>
  );
}

function Counter({ name, value, to, search, bad = false }: { name: string; value: number | string | undefined; to: string; search?: Record<string, string>; bad?: boolean }) {
  return (
    <Link to={to} search={search ?? {}} className="rounded-xl border border-line bg-panel p-4 hover:border-accent">
      <span className="block text-dim">{name}</span>
      <span className={`num text-2xl font-semibold ${bad ? "text-bad" : ""}`}>{value ?? "–"}</span>
    </Link>
  );
}

/** A bar for each run, the oldest first; the longer it took the higher. */
function Strip({ runs }: { runs: Run[] }) {
  const took = (run: Run) => (run.started_at === null ? 0 : (run.finished_at ?? Date.now()) - run.started_at);
  const longest = Math.log1p(Math.max(...runs.map(took), 1));
  const counts = new Map<string, number>();
  for (const run of runs) counts.set(statusWord(run.status), (counts.get(statusWord(run.status)) ?? 0) + 1);
  return (
    <>
      <div className="flex h-16 items-end gap-px" role="img" aria-label={[...counts].map(([word, count]) => `${count} ${word}`).join(", ")}>
        {runs.toReversed().map((run) => (
          <Link
            key={run.id}
            to="/runs/$run"
            params={{ run: run.id }}
            preload={false}
            tabIndex={-1}
            aria-hidden="true"
            title={`${run.task} · ${statusWord(run.status)} · ${duration(took(run))}`}
            className={`min-w-[2px] max-w-8 flex-1 rounded-t-sm ${statusBar(run.status)} ${isFinal(run.status) ? "" : "hatched"} hover:opacity-70`}
            style={{ height: `${12 + (Math.log1p(took(run)) / longest) * 88}%` }}
          />
        ))}
      </div>
      <p className="mt-2 flex flex-wrap gap-x-4 text-dim">{[...counts].map(([word, count]) => <span key={word} className="num">{count} {word.toLowerCase()}</span>)}</p>
    </>
  );
}
