/* What goes on, at a glance; on day one the first steps. */

import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { useAsk } from "../../api/ask.ts";
import { DAY, type Measured, type Point, useMetric } from "../../api/metrics.ts";
import { type Deployment, type ErrorGroup, isFinal, type Queue, type Run, type RunCounts, type RunPage, type Schedule, type Status, STATUSES, type Token, type Worker } from "../../api/types.ts";
import { Page } from "../../frame/page.tsx";
import { Failure, Loading } from "../../ui/say.tsx";
import { Chart, Spark } from "../../ui/chart.tsx";
import { StatusBadge, statusBar, statusColor, statusWord } from "../../ui/status.tsx";
import { Ago, duration } from "../../ui/time.tsx";
import { StartCard } from "../runs/start.tsx";

const MOST = 100;
const LISTED = 6;
const LATE_MS = 60_000;
const STUCK_MS = 5 * 60_000;
const FAILED: Status[] = ["failed", "crashed", "system_failure", "timed_out"];

export function OverviewPage() {
  const [since] = useState(() => Date.now() - 86_400_000);
  const latest = useAsk<RunPage>("list", { filter: { limit: MOST } }, { follow: true });
  const counts = useAsk<RunCounts>("count_runs", { since }, { every: 5_000 });
  const errors = useAsk<{ groups: ErrorGroup[] }>("errors", { status: ["new", "regressed"], limit: LISTED }, { follow: true, every: 10_000 });
  const workers = useAsk<{ workers: Worker[] }>("workers", {}, { every: 5_000 });
  const queues = useAsk<{ queues: Queue[] }>("queues", {}, { every: 5_000 });
  const tokens = useAsk<{ tokens: Token[]; next: string | null }>("tokens", { status: ["waiting"], waiters: true, limit: MOST }, { follow: true });
  const schedules = useAsk<{ schedules: Schedule[]; count: number }>("schedules", { limit: MOST });
  const ended = useMetric("runs.ended", DAY, ["status"]);
  const queued = useMetric("queue.queued", DAY);
  const running = useMetric("queue.running", DAY);
  const took = useMetric("runs.duration", DAY);
  const promoted = useAsk<{ deployments: Deployment[] }>("deployments", { limit: 25 });
  const runs = latest.data?.runs;
  if (latest.error) return <Page title="Overview"><Failure error={latest.error} retry={() => void latest.refetch()} /></Page>;
  if (!runs) return <Page title="Overview"><Loading /></Page>;
  if (runs.length === 0) return <Page title="Overview"><StartCard /></Page>;
  const connected = workers.data?.workers.filter((worker) => worker.connected) ?? [];
  const slots = connected.reduce((sum, worker) => sum + worker.slots, 0);
  const next = schedules.data?.schedules.filter((one) => one.active && one.next_at !== null).sort((a, b) => (a.next_at ?? 0) - (b.next_at ?? 0)).slice(0, LISTED) ?? [];
  const now = Date.now();
  const late = schedules.data?.schedules.filter((one) => one.active && one.starts_at !== null && one.starts_at < now - LATE_MS) ?? [];
  const stuck = queues.data?.queues.filter((queue) => queue.oldest_at !== null && queue.oldest_at < now - STUCK_MS && queue.running === 0) ?? [];
  const asked = tokens.data?.tokens.filter((token) => token.waiters?.length) ?? [];
  const paused = queues.data?.queues.filter((queue) => queue.paused) ?? [];
  const told = (statuses: Status[]) => counts.data && total(counts.data, statuses);
  return (
    <Page title="Overview">
      <div className="grid gap-4 p-4 md:p-5">
        {workers.isSuccess && connected.length === 0 && (
          <p role="status" className="rounded-xl border border-line bg-panel px-4 py-3"><b className="font-medium text-wait">No worker is connected.</b> <span className="text-dim">Runs wait until one is: </span><Link to="/workers" className="text-accent underline">how to start one</Link></p>
        )}
        {(late.length > 0 || stuck.length > 0 || asked.length > 0) && (
          <Card title="Needs a look">
            <ul className="space-y-1">
              {asked.length > 0 && <li><Link to="/approvals" className="font-medium hover:underline">{asked.length}{tokens.data?.next ? "+" : ""} {asked.length === 1 ? "run waits" : "runs wait"} for an answer</Link> <span className="text-dim">of a person</span></li>}
              {stuck.map((queue) => <li key={queue.name}><Link to="/queues" className="font-medium hover:underline">{queue.name}</Link> <span className="text-dim">runs nothing, and its oldest run waits for</span> {queue.oldest_at !== null && duration(now - queue.oldest_at)}</li>)}
              {late.map((one) => <li key={one.id}><Link to="/schedules" className="font-medium hover:underline">{one.task}</Link> <span className="text-dim">was due by its schedule</span> {one.starts_at !== null && <Ago at={one.starts_at} />}</li>)}
            </ul>
          </Card>
        )}
        <div className="grid grid-cols-2 gap-3 *:last:max-lg:col-span-2 lg:grid-cols-5">
          <Counter name="Running" value={told(["executing"])} more={slots > 0 && `${slots} slots in ${connected.length} ${connected.length === 1 ? "worker" : "workers"}`} to="/runs" search={{ status: "executing" }} spark={sparkOf(running.data, "high")} />
          <Counter name="Queued" value={told(["queued"])} more={paused.length > 0 && `${paused.length} ${paused.length === 1 ? "queue is" : "queues are"} paused`} to="/queues" spark={sparkOf(queued.data, "high")} />
          <Counter name="Waiting" value={told(["waiting", "delayed", "pending_version"])} more={asked.length > 0 && `${asked.length} for an answer`} to="/runs" search={{ status: "waiting,delayed,pending_version" }} />
          <Counter name="Failed in 24 h" value={told(FAILED)} to="/runs" search={{ status: FAILED.join(","), period: "1d" }} bad={FAILED.some((status) => counts.data?.ended[status])} spark={sparkOf(failuresOf(ended.data), "total")} />
          <Counter name="Duration, p95" value={longest(took.data)} more="in the latest hour" to="/charts" spark={sparkOf(took.data, "p95")} />
        </div>
        {counts.data && <Day counts={counts.data} ended={ended.data} promoted={promoted.data?.deployments ?? []} />}
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

/** A value for each hour of the day behind us; nothing is 0. */
function sparkOf(found: Measured | undefined, field: "high" | "total" | "p95"): number[] {
  if (!found) return [];
  const values = new Map(found.series[0]?.points.map((point) => [point.at, point[field] ?? 0]));
  const steps = Math.ceil((found.until - found.since) / found.step_ms);
  return Array.from({ length: steps }, (_, index) => values.get(found.since + index * found.step_ms) ?? 0);
}

/** The series of what failed as one. */
function failuresOf(found: Measured | undefined): Measured | undefined {
  if (!found) return undefined;
  const sums = new Map<number, Point>();
  for (const series of found.series) {
    if (!FAILED.includes(series.labels.status as Status)) continue;
    for (const point of series.points) sums.set(point.at, { ...point, total: point.total + (sums.get(point.at)?.total ?? 0) });
  }
  return { ...found, series: [{ labels: {}, points: [...sums.values()] }] };
}

function longest(found: Measured | undefined): string | undefined {
  const last = found?.series[0]?.points.at(-1)?.p95;
  return last === null || last === undefined ? undefined : duration(last);
}

/** How many runs have these statuses; "10,000+" where counting stopped. */
function total(counts: RunCounts, statuses: Status[]): string {
  const found = statuses.map((status) => counts.live[status] ?? counts.ended[status] ?? 0);
  const sum = found.reduce((all, one) => all + one, 0);
  return `${sum.toLocaleString("en")}${found.some((one) => one >= counts.most) ? "+" : ""}`;
}

/** How the runs of the last 24 hours ended, as shares of one bar. */
function Day({ counts, ended, promoted }: { counts: RunCounts; ended: Measured | undefined; promoted: Deployment[] }) {
  const parts = STATUSES.map((status) => [status, counts.ended[status] ?? 0] as const).filter(([, count]) => count > 0);
  const sum = parts.reduce((all, [, count]) => all + count, 0);
  return (
    <Card title="Ended in the last 24 hours">
      {sum === 0 && <p className="text-dim">Nothing yet.</p>}
      {sum > 0 && ended && ended.series.length > 0 && (
        <Chart
          label="Ended by the hour" kind="bars" named height={96} since={ended.since} until={ended.until} step={ended.step_ms}
          show={(value) => value.toLocaleString("en", { maximumFractionDigits: 0 })}
          tracks={ended.series.map((series) => ({ name: statusWord(series.labels.status as Status), color: statusColor(series.labels.status as Status), values: new Map(series.points.map((point) => [point.at, point.total])) }))}
          marks={promoted.flatMap((one) => (one.promoted_at !== null && one.promoted_at >= ended.since ? [{ at: one.promoted_at, text: `${one.version} promoted` }] : []))}
        />
      )}
      {sum > 0 && !ended?.series.length && (
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
  spark?: number[];
}

function Counter({ name, value, more = false, to, search, bad = false, spark = [] }: CounterProps) {
  return (
    <Link to={to} search={search ?? {}} className="rounded-xl border border-line bg-panel p-4 hover:border-accent">
      <span className="block text-dim">{name}</span>
      <span className={`num block text-2xl font-semibold ${bad ? "text-bad" : ""}`}>{value ?? "–"}</span>
      <span className="block min-h-[1.45em] truncate text-xs text-dim">{more}</span>
      {spark.some((one) => one > 0) && <span className="mt-1 block"><Spark values={spark} color={bad ? "text-bad" : "text-accent"} label={`${name}, the last 24 hours`} /></span>}
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
