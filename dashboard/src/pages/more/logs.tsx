/* The lines of all runs, the newest first: found by text, level, task and time, or followed live. */

import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { useAsk } from "../../api/ask.ts";
import { call, chosenEnvironment } from "../../api/call.ts";
import { type Range, RANGES, useSince } from "../../api/metrics.ts";
import type { FoundLine, FoundLines, Task } from "../../api/types.ts";
import { Page } from "../../frame/page.tsx";
import { Chart } from "../../ui/chart.tsx";
import { Button } from "../../ui/controls.tsx";
import { parsed } from "../../ui/json.tsx";
import { Command, Empty, Failure, Loading } from "../../ui/say.tsx";
import { moment } from "../../ui/time.tsx";

interface Search {
  text?: string;
  level?: string;
  task?: string;
  until?: string;
  range?: string;
}

const LEVELS = ["debug", "info", "warn", "error"];
const COLORS: Record<string, string> = { error: "text-bad", fatal: "text-bad", warn: "text-wait", warning: "text-wait", debug: "text-dim", trace: "text-dim" };
const LIVE_MS = 2_000;
const TYPED_MS = 300;
/** Pages that are asked for by themselves while few lines have been found. */
const EAGER = 6;
const ENOUGH = 40;

export function LogsPage() {
  const search = useSearch({ strict: false }) as Search;
  const navigate = useNavigate();
  const [live, setLive] = useState(true);
  const change = (more: Search) => void navigate({ to: "/logs", search: { ...search, ...more }, replace: true });
  const until = search.until ? new Date(search.until).getTime() : Number.NaN;
  const wanted = {
    text: search.text ?? "",
    level: LEVELS.includes(search.level ?? "") ? search.level : "debug",
    task: search.task,
    until: Number.isNaN(until) ? undefined : until,
  };
  const following = live && wanted.until === undefined;
  const found = useInfiniteQuery({
    queryKey: ["lines", chosenEnvironment(), wanted],
    queryFn: ({ pageParam }) => call<FoundLines>("find_lines", { ...wanted, after: pageParam }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
    refetchInterval: following ? LIVE_MS : false,
    placeholderData: (held) => held,
  });
  const pages = found.data?.pages ?? [];
  const lines = pages.flatMap((page) => page.lines);
  const { hasNextPage, isFetching, fetchNextPage } = found;
  const hungry = hasNextPage && !isFetching && pages.length < EAGER && lines.length < ENOUGH;
  useEffect(() => {
    if (hungry) void fetchNextPage();
  }, [hungry, fetchNextPage]);
  const reached = pages.at(-1)?.searched_to;
  const older = () => {
    setLive(false);
    void fetchNextPage();
  };
  return (
    <Page
      title="Logs"
      actions={<><Button icon="down" disabled={lines.length === 0} onClick={() => download(lines)}>Download</Button><Button icon={following ? "pause" : "play"} onClick={() => { if (wanted.until !== undefined) change({ until: undefined }); setLive(!following); }}>{following ? "Pause" : "Go live"}</Button></>}
      tools={<Tools search={search} change={change} />}
    >
      <Histogram search={search} wanted={wanted} change={change} />
      {found.error && <Failure error={found.error} retry={() => void found.refetch()} />}
      {found.isPending && <Loading />}
      {found.isSuccess && lines.length === 0 && !hasNextPage && ((search.text || search.level || search.task || search.until) ? <Empty title="No line matches"><Button onClick={() => void navigate({ to: "/logs" })}>Show all lines</Button></Empty> : <Teach />)}
      {lines.length > 0 && (
        <ol aria-label="Lines" className="py-1 font-mono text-[12.5px]">
          {lines.map((line) => <Row key={`${line.run_id} ${line.seq}`} line={line} />)}
        </ol>
      )}
      {hasNextPage && (
        <div className="flex flex-col items-center gap-1 p-4">
          <Button disabled={found.isFetchingNextPage} onClick={older}>Search further back</Button>
          {reached && <span className="text-xs text-dim">Searched back to {moment(reached)}</span>}
        </div>
      )}
      <p role="status" className="sr-only">{lines.length} lines</p>
    </Page>
  );
}

interface Wanted {
  text: string;
  level: string | undefined;
  task: string | undefined;
  until: number | undefined;
}
interface Bucket {
  at: number;
  debug: number;
  info: number;
  warn: number;
  error: number;
}
interface Counted {
  since: number;
  until: number;
  step_ms: number;
  buckets: Bucket[];
  searched_to: number | null;
}
const SHOWN = ["error", "warn", "info", "debug"] as const;
const BARS: Record<string, string> = { error: "text-bad", warn: "text-wait", info: "text-busy", debug: "text-off" };

/** How many lines match over a time; a click on a bar shows what was written until its end. */
function Histogram({ search, wanted, change }: { search: Search; wanted: Wanted; change: (more: Search) => void }) {
  const range = RANGES.find((one) => one.word === search.range) ?? (RANGES[0] as Range);
  const now = useSince({ ...range, step: 10_000 }) + range.ms + 10_000;
  const until = wanted.until ?? now;
  const found = useAsk<Counted>("count_lines", { text: wanted.text, level: wanted.level, task: wanted.task, since: until - range.ms, until, buckets: 60 });
  const data = found.data;
  if (!data) return null;
  const tracks = SHOWN.filter((level) => data.buckets.some((one) => one[level] > 0)).map((level) => ({ name: level, color: BARS[level] ?? "", values: new Map(data.buckets.map((one) => [one.at, one[level]])) }));
  return (
    <section aria-label="Lines over time" className="border-b border-line px-4 pt-2 pb-1 md:px-5">
      <Chart
        label="Lines over time" kind="bars" height={56} tracks={tracks} since={data.since} until={data.until} step={data.step_ms}
        show={(value) => value.toLocaleString("en", { maximumFractionDigits: 0 })}
        pick={(_, to) => change({ until: local(to) })}
      />
      {data.searched_to !== null && <p className="pb-1 text-xs text-dim">There are too many to count them all: from {moment(data.searched_to)} on.</p>}
    </section>
  );
}

/** A time as the field for it has it, to the second. */
const local = (at: number) => new Date(at - new Date(at).getTimezoneOffset() * 60_000).toISOString().slice(0, 19);

/** Hands the lines that are shown to the browser as a file, a JSON line each. */
function download(lines: FoundLine[]): void {
  const text = lines.map((line) => JSON.stringify({ ...line, at: new Date(line.at).toISOString(), data: line.data === null ? undefined : parsed(line.data) })).join("\n");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([`${text}\n`], { type: "application/jsonl" }));
  link.download = "lines.jsonl";
  link.click();
  URL.revokeObjectURL(link.href);
}

function Tools({ search, change }: { search: Search; change: (more: Search) => void }) {
  const [text, setText] = useState(search.text ?? "");
  const tasks = useQuery({ queryKey: ["known", "tasks", chosenEnvironment()], queryFn: () => call<{ tasks: Task[] }>("tasks").then((found) => found.tasks.map((task) => task.id)) });
  useEffect(() => {
    if (text === (search.text ?? "")) return;
    const id = setTimeout(() => change({ text: text || undefined }), TYPED_MS);
    return () => clearTimeout(id);
  });
  const names = [...new Set([...(tasks.data ?? []), ...(search.task ? [search.task] : [])])];
  return (
    <div className="grid grid-cols-2 gap-2 md:flex">
      <input type="search" aria-label="Find lines" placeholder="Find in message or data" className="field col-span-2 md:max-w-sm" value={text} onChange={(event) => setText(event.target.value)} />
      <select aria-label="Least level" className="field md:w-auto!" value={search.level ?? "debug"} onChange={(event) => change({ level: event.target.value === "debug" ? undefined : event.target.value })}>
        {LEVELS.map((one) => <option key={one} value={one}>{one === "debug" ? "every level" : `${one} and above`}</option>)}
      </select>
      <select aria-label="Task" className="field md:w-auto!" value={search.task ?? ""} onChange={(event) => change({ task: event.target.value || undefined })}>
        <option value="">every task</option>
        {names.map((name) => <option key={name} value={name}>{name}</option>)}
      </select>
      <select aria-label="Time of the bars" className="field md:w-auto!" value={search.range ?? "1h"} onChange={(event) => change({ range: event.target.value === "1h" ? undefined : event.target.value })}>
        {RANGES.map((one) => <option key={one.word}>{one.word}</option>)}
      </select>
      <input type="datetime-local" step={1} aria-label="Until" title="The newest line to show" className="field md:w-auto!" value={search.until ?? ""} onChange={(event) => change({ until: event.target.value || undefined })} />
    </div>
  );
}

function Row({ line }: { line: FoundLine }) {
  const time = new Date(line.at);
  const level = line.level.toLowerCase();
  return (
    <li className="flex flex-wrap gap-x-3 px-4 py-0.5 [contain-intrinsic-size:auto_1.5rem] [content-visibility:auto] hover:bg-raised md:flex-nowrap md:px-5">
      <time className="num shrink-0 text-dim" dateTime={time.toISOString()} title={moment(line.at)}>{time.toLocaleTimeString("en-GB")}.{String(line.at % 1000).padStart(3, "0")}</time>
      <span className={`w-14 shrink-0 ${COLORS[level] ?? "text-busy"}`}>{level}</span>
      <Link to="/runs/$run" params={{ run: line.run_id }} search={{ tab: "logs" }} preload={false} title={line.run_id} className="w-36 shrink-0 truncate text-dim hover:text-ink hover:underline">{line.task}</Link>
      <span className="min-w-0 basis-full whitespace-pre-wrap [overflow-wrap:anywhere] md:basis-auto">
        {line.message}
        {line.data && <span className="ml-2 text-dim">{line.data}</span>}
      </span>
    </li>
  );
}

function Teach() {
  return (
    <Empty title="No run has written a line yet">
      <p className="mb-3">What tasks write with the logger, and print, is here a moment later. Keywords become data that you can search, too:</p>
      <Command>{"logger.info(\"charged\", order=order.id, cents=1250)"}</Command>
    </Empty>
  );
}
