/* What goes on, at a glance; on day one the first steps. */

import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { useAsk } from "../../api/ask.ts";
import { type ErrorGroup, isFinal, type Queue, type Run, type RunCounts, type RunPage, type Schedule, type Status, STATUSES, type Token, type Worker } from "../../api/types.ts";
import { Page } from "../../frame/page.tsx";
import { Failure, Loading } from "../../ui/say.tsx";
import { StatusBadge, statusBar, statusWord } from "../../ui/status.tsx";
import { Ago, duration } from "../../ui/time.tsx";
import { StartCard } from "../runs/start.tsx";

const MOST = 100;
const LISTED = 6;
const FAILED: Status[] = ["failed", "crashed", "system_failure", "timed_out"];

export function OverviewPage() {
  const [since] = useState(() => Date.now() - 86_400_000);
  const latest = useAsk<RunPage>("list", { filter: { limit: MOST } }, { follow: true });
  const counts = useAsk<RunCounts>("count_runs", { since }, { every: 5_000 });
  const errors = useAsk<{ groups: ErrorGroup[] }>("errors", { status: ["new", "regressed"], limit: LISTED }, { follow: true, every: 10_000 });
  const workers = useAsk<{ workers: Worker[] }>("workers", {}, { every: 5_000 });
  const queues = useAsk<{ queues: Queue[] }>("queues", {}, { every: 5_000 });
  const tokens = useAsk<{ tokens: Token[]; next: string | null }>("tokens", { status: ["waiting"], limit: MOST }, { follow: true });
  const schedules = useAsk<{ schedules: Schedule[]; count: number }>("schedules", { limit: MOST });
  const runs = latest.data?.runs;
  if (latest.error) return <Page title="Overview"><Failure error={latest.error} retry={() => void latest.refetch()} /></Page>;
  if (!runs) return <Page title="Overview"><Loading /></Page>;
  if (runs.length === 0) return <Page title="Overview"><StartCard /></Page>;
  const connected = workers.data?.workers.filter((worker) => worker.connected) ?? [];
  const slots = connected.reduce((sum, worker) => sum + worker.slots, 0);
  const next = schedules.data?.schedules.filter((one) => one.active && one.next_at !== null).sort((a, b) => (a.next_at ?? 0) - (b.next_at ?? 0)).slice(0, LISTED) ?? [];
  const paused = queues.data?.queues.filter((queue) => queue.paused) ?? [];
  const told = (statuses: Status[]) => counts.data && total(counts.data, statuses);
  return (
    <Page title="Overview">
      <div className="grid gap-4 p-4 md:p-5">
        {workers.isSuccess && connected.length === 0 && (
          <p role="status" className="rounded-xl border border-line bg-panel px-4 py-3"><b className="font-medium text-wait">No worker is connected.</b> <span className="text-dim">Runs wait until one is: </span><Link to="/workers" className="text-accent underline">how to start one</Link></p>
        )}
        <div className="grid grid-cols-2 gap-3 lg:grid-cols-4">
          <Counter name="Running" value={told(["executing"])} more={slots > 0 && `${slots} slots in ${connected.length} ${connected.length === 1 ? "worker" : "workers"}`} to="/runs" search={{ status: "executing" }} />
          <Counter name="Queued" value={told(["queued"])} more={paused.length > 0 && `${paused.length} ${paused.length === 1 ? "queue is" : "queues are"} paused`} to="/queues" />
          <Counter name="Waiting" value={told(["waiting", "delayed", "pending_version"])} more={(tokens.data?.tokens.length ?? 0) > 0 && `open tokens: ${tokens.data?.tokens.length}${tokens.data?.next ? "+" : ""}`} to="/runs" search={{ status: "waiting,delayed,pending_version" }} />
          <Counter name="Failed in 24 h" value={told(FAILED)} to="/runs" search={{ status: FAILED.join(","), period: "1d" }} bad={FAILED.some((status) => counts.data?.ended[status])} />
        </div>
        {counts.data && <Day counts={counts.data} />}
        <Card title={`The newest ${runs.length} runs`}>
          <Strip runs={runs} />
        </Card>
        <div className="grid gap-4 lg:grid-cols-2">
          <Card title="Open errors">
            {errors.data?.groups.length ? (
              <ul>
                {errors.data.groups.map((group) => (
                  <li key={group.id} className="flex items-center gap-3 border-b border-line py-1.5 last:border-0">
                    <span className="num min-w-8 rounded bg-bad-soft px-1.5 text-center text-xs leading-5 text-bad" title={`${group.count} runs`}>{group.count > 999 ? "999+" : group.count}</span>
                    <Link to="/errors/$error" params={{ error: group.id }} className="font-medium whitespace-nowrap hover:underline">{group.name}</Link>
                    <span className="min-w-0 flex-1 truncate text-dim">{group.task}: {group.message}</span>
                    <span className="text-dim"><Ago at={group.last_at} /></span>
                  </li>
                ))}
              </ul>
            ) : (
              <p className="text-dim">No error is open.</p>
            )}
          </Card>
          <Card title="Next">
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
              <p className="text-dim">No schedule is active. <Link to="/schedules" className="text-accent underline">Schedules</Link> start runs by the clock.</p>
            )}
          </Card>
        </div>
      </div>
    </Page>
  );
}

/** How many runs have these statuses; "10,000+" where counting stopped. */
function total(counts: RunCounts, statuses: Status[]): string {
  const found = statuses.map((status) => counts.live[status] ?? counts.ended[status] ?? 0);
  const sum = found.reduce((all, one) => all + one, 0);
  return `${sum.toLocaleString("en")}${found.some((one) => one >= counts.most) ? "+" : ""}`;
}

/** How the runs of the last 24 hours ended, as shares of one bar. */
function Day({ counts }: { counts: RunCounts }) {
  const parts = STATUSES.map((status) => [status, counts.ended[status] ?? 0] as const).filter(([, count]) => count > 0);
  const sum = parts.reduce((all, [, count]) => all + count, 0);
  return (
    <Card title="Ended in the last 24 hours">
      {sum === 0 && <p className="text-dim">Nothing yet.</p>}
      {sum > 0 && (
        <div className="flex h-3 gap-px overflow-hidden rounded-full" aria-hidden="true">
          {parts.map(([status, count]) => <span key={status} className={statusBar(status)} style={{ width: `${(count / sum) * 100}%`, minWidth: 3 }} />)}
        </div>
      )}
      <p className="mt-2.5 flex flex-wrap gap-x-5 gap-y-1">
        {parts.map(([status]) => (
          <Link key={status} to="/runs" search={{ status, period: "1d" }} className="flex items-center gap-1.5 hover:underline">
            <StatusBadge status={status} /> <span className="num">{total(counts, [status])}</span>
          </Link>
        ))}
      </p>
    </Card>
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

interface CounterProps {
  name: string;
  value: string | undefined;
  more?: string | false;
  to: string;
  search?: Record<string, string>;
  bad?: boolean;
}

function Counter({ name, value, more = false, to, search, bad = false }: CounterProps) {
  return (
    <Link to={to} search={search ?? {}} className="rounded-xl border border-line bg-panel p-4 hover:border-accent">
      <span className="block text-dim">{name}</span>
      <span className={`num block text-2xl font-semibold ${bad ? "text-bad" : ""}`}>{value ?? "–"}</span>
      <span className="block min-h-[1.45em] truncate text-xs text-dim">{more}</span>
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
      <div className="flex h-16 items-end gap-px" aria-hidden="true">
        {runs.toReversed().map((run) => (
          <Link
            key={run.id}
            to="/runs/$run"
            params={{ run: run.id }}
            preload={false}
            tabIndex={-1}
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
