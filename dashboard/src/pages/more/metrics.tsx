/* Metrics: what the platform measures by itself, and what tasks measure, over time. */

import { useNavigate, useSearch } from "@tanstack/react-router";
import { useAsk } from "../../api/ask.ts";
import { type Measured, type Metric, type Point, type Range, RANGES, useMetric, useSince } from "../../api/metrics.ts";
import type { Deployment, Queue, Status, Task } from "../../api/types.ts";
import { Page } from "../../frame/page.tsx";
import { Chart, COLORS, type Mark, type Track } from "../../ui/chart.tsx";
import { Button } from "../../ui/controls.tsx";
import { Command, Failure } from "../../ui/say.tsx";
import { statusColor, statusWord } from "../../ui/status.tsx";
import { duration } from "../../ui/time.tsx";

interface Search {
  range?: string;
  task?: string;
  queue?: string;
}
const TRACKS = 8;
/** Charts of what tasks measure; each is asked for by itself. */
const OWN = 24;
const READY = new Set(["runs.triggered", "runs.started", "runs.ended", "runs.failed", "runs.wait", "runs.duration", "attempts.retried", "queue.queued", "queue.running", "workers.sessions", "workers.slots", "workers.running", "log.lines"]);
const plain = (value: number) => value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 2 : 0 });
const shown = (unit: string) => (unit === "ms" ? duration : unit === "By" ? (value: number) => `${plain(value / 1024)} KB` : plain);

type Value = (point: Point) => number | null | undefined;
const total: Value = (point) => point.total;
const last: Value = (point) => point.last;

export function MetricsPage() {
  const search = useSearch({ strict: false }) as Search;
  const navigate = useNavigate();
  const range = RANGES.find((one) => one.word === search.range) ?? (RANGES[0] as Range);
  const known = useAsk<{ metrics: Metric[] }>("list_metrics", {}, { every: 30_000 });
  const since = useSince(range);
  const deployments = useAsk<{ deployments: Deployment[] }>("deployments", { limit: 25 });
  const marks = (deployments.data?.deployments ?? []).flatMap((one) => (one.promoted_at !== null && one.promoted_at >= since ? [{ at: one.promoted_at, text: `${one.version} promoted` }] : []));
  const where = { ...(search.task && { task: search.task }), ...(search.queue && { queue: search.queue }) };
  const queue: Record<string, string> = search.queue ? { queue: search.queue } : {};
  const all = known.data?.metrics.filter((metric) => !READY.has(metric.name)) ?? [];
  const own = all.slice(0, OWN);
  const look = (next: Search) => void navigate({ to: "/charts", search: { ...search, ...next }, replace: true });
  const common = { range, marks };
  return (
    <Page title="Metrics" tools={<Tools search={search} range={range} look={look} />}>
      {known.error && <Failure error={known.error} retry={() => void known.refetch()} />}
      <div className="grid gap-4 p-4 md:p-5 lg:grid-cols-2">
        <Panel {...common} title="Runs that ended" name="runs.ended" by={["status"]} where={where} kind="bars" value={total} word={(labels) => word(labels.status)} color={(labels) => statusColor(labels.status as Status)} />
        <Panel {...common} title="Runs triggered" name="runs.triggered" where={where} kind="bars" value={total} />
        <Shares {...common} title="From ready to start" name="runs.wait" where={where} />
        <Shares {...common} title="From start to end" name="runs.duration" where={where} />
        <Panel {...common} title="Queued, by queue" name="queue.queued" by={["queue"]} where={queue} kind="lines" value={last} />
        <Panel {...common} title="Running, by queue" name="queue.running" by={["queue"]} where={queue} kind="lines" value={last} />
        <Panel {...common} title="Failed attempts that are tried again" name="attempts.retried" where={queue} kind="bars" value={total} />
        <Panel {...common} title="Slots of workers that are taken" name="workers.running" kind="lines" value={last} />
        <Panel {...common} title="Log lines" name="log.lines" by={["level"]} where={search.task ? { task: search.task } : {}} kind="bars" value={total} color={(labels) => LEVELS[labels.level ?? ""]} />
        {own.map((metric) =>
          metric.kind === "histogram" ? (
            <Shares key={metric.name} {...common} title={metric.name} name={metric.name} words={metric.words} where={search.task ? { task: search.task } : {}} />
          ) : (
            <Panel key={metric.name} {...common} title={metric.name} name={metric.name} words={metric.words} by={metric.labels.slice(0, 1)} where={search.task ? { task: search.task } : {}} kind={metric.kind === "counter" ? "bars" : "lines"} value={metric.kind === "counter" ? total : last} />
          ),
        )}
      </div>
      {all.length > OWN && <p className="px-4 pb-5 text-dim md:px-5">{all.length - OWN} more are measured; the HTTP API and Grafana have all of them.</p>}
      {known.isSuccess && own.length === 0 && (
        <section className="max-w-xl px-4 pb-6 md:px-5">
          <h2 className="mb-1 font-semibold">Measure your own</h2>
          <p className="mb-2 text-dim">What tasks count or measure is a chart here a minute later:</p>
          <Command>{"meter.counter(\"orders.charged\").add(1, currency=\"EUR\")"}</Command>
        </section>
      )}
    </Page>
  );
}

const LEVELS: Record<string, string | undefined> = { error: "text-bad", warn: "text-wait", info: "text-busy", debug: "text-off" };
const word = (status = "") => statusWord(status as Status);

function Tools({ search, range, look }: { search: Search; range: Range; look: (next: Search) => void }) {
  const tasks = useAsk<{ tasks: Task[] }>("tasks");
  const queues = useAsk<{ queues: Queue[] }>("queues");
  const choice = (name: "task" | "queue", values: string[]) => (
    <select aria-label={name} className="field w-auto! max-w-52" value={search[name] ?? ""} onChange={(event) => look({ [name]: event.target.value || undefined })}>
      <option value="">every {name}</option>
      {[...new Set([...values, ...(search[name] ? [search[name]] : [])])].map((value) => <option key={value} value={value}>{value}</option>)}
    </select>
  );
  return (
    <div className="flex flex-wrap items-center gap-2">
      <div role="group" aria-label="Time" className="flex flex-wrap gap-1">
        {RANGES.map((one, index) => (
          <Button key={one.word} kind={one === range ? "plain" : "ghost"} aria-pressed={one === range} onClick={() => look({ range: index === 0 ? undefined : one.word })}>{one.word}</Button>
        ))}
      </div>
      {choice("task", tasks.data?.tasks.map((task) => task.id) ?? [])}
      {choice("queue", queues.data?.queues.map((queue) => queue.name) ?? [])}
    </div>
  );
}

interface PanelProps {
  title: string;
  name: string;
  words?: string;
  range: Range;
  marks: Mark[];
  where?: Record<string, string>;
}
interface SeriesProps extends PanelProps {
  by?: string[];
  kind: "bars" | "lines";
  value: Value;
  word?: (labels: Record<string, string>) => string;
  color?: (labels: Record<string, string>) => string | undefined;
}

/** One chart with a track for each series; of many series those with the most. */
function Panel({ title, name, words, range, marks, where = {}, by = [], kind, value, word: named, color }: SeriesProps) {
  const found = useMetric(name, range, by, where);
  const tracks = (found.data?.series ?? [])
    .map((series): Track => ({ name: named?.(series.labels) ?? (Object.values(series.labels).join(" ") || title), color: color?.(series.labels) ?? "", values: valuesOf(series.points, value) }))
    .sort((a, b) => sum(b) - sum(a))
    .slice(0, TRACKS)
    .map((track, index) => ({ ...track, color: track.color || (COLORS[index] ?? "text-dim") }));
  return <Shown title={title} words={words} found={found} kind={kind} tracks={tracks} marks={marks} />;
}

/** How long something takes: half of them, 95 and 99 of a hundred take at most that. */
function Shares({ title, name, words, range, marks, where = {} }: PanelProps) {
  const found = useMetric(name, range, [], where);
  const points = found.data?.series[0]?.points ?? [];
  const tracks = (["p50", "p95", "p99"] as const).map((share, index): Track => ({ name: share, color: COLORS[index] ?? "", values: valuesOf(points, (point) => point[share]) }));
  return <Shown title={title} words={words} found={found} kind="lines" tracks={points.length ? tracks : []} marks={marks} />;
}

function Shown({ title, words, found, kind, tracks, marks }: { title: string; words: string | undefined; found: { data: Measured | undefined; error: Error | null }; kind: "bars" | "lines"; tracks: Track[]; marks: Mark[] }) {
  const { data, error } = found;
  return (
    <section aria-label={title} className="min-w-0 rounded-xl border border-line bg-panel p-4">
      <h2 className="mb-2 font-semibold [overflow-wrap:anywhere]">{title}{words && <span className="block font-normal text-dim">{words}</span>}</h2>
      {error && <p className="text-bad">{error.message}</p>}
      {data && tracks.length === 0 && <p className="grid h-30 place-items-center text-dim">Nothing in this time.</p>}
      {data && tracks.length > 0 && <Chart label={title} kind={kind} tracks={tracks} since={data.since} until={data.until} step={data.step_ms} show={shown(data.unit)} marks={marks} />}
      {!data && !error && <p className="grid h-30 place-items-center text-dim" role="status">Loading…</p>}
    </section>
  );
}

function valuesOf(points: Point[], value: Value): Map<number, number> {
  return new Map(points.flatMap((point) => { const found = value(point); return found === null || found === undefined ? [] : [[point.at, found] as const]; }));
}
const sum = (track: Track) => [...track.values.values()].reduce((all, value) => all + value, 0);
