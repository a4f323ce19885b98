/* Beside the waterfall: the run's facts, payload, output, metadata, error and log, or one span's. */

import { Link } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { useAsk } from "../../api/ask.ts";
import { request } from "../../api/call.ts";
import type { Line, Run, RunDetail, RunError, Span, Trace, Usage } from "../../api/types.ts";
import { Button, CopyButton } from "../../ui/controls.tsx";
import { JsonBlock } from "../../ui/json.tsx";
import { sayFailure } from "../../ui/say.tsx";
import { StatusBadge } from "../../ui/status.tsx";
import { duration, moment } from "../../ui/time.tsx";
import { Traceback } from "../../ui/traceback.tsx";
import { Logs } from "./logs.tsx";
import { type Moment, momentsOf } from "./moments.ts";
import { RestartFrom } from "./restart.tsx";
import { Streams } from "./streams.tsx";
import { isRun, kindOf } from "./tree.ts";

export const TABS = ["details", "error", "payload", "output", "metadata", "logs", "streams", "timeline", "context"] as const;
export type Tab = (typeof TABS)[number];
const WORDS: Record<Tab, string> = {
  details: "Details", error: "Error", payload: "Payload", output: "Output", metadata: "Metadata", logs: "Logs",
  streams: "Streams", timeline: "Timeline", context: "Context",
};
const TONES: Record<Moment["tone"], string> = { good: "bg-good", bad: "bg-bad", wait: "bg-wait", busy: "bg-busy", off: "bg-off" };

interface Props {
  detail: RunDetail;
  /** The id of its trace, as collectors know it. */
  trace: string | undefined;
  spans: Span[];
  span: Span | undefined;
  lines: Line[];
  tab: Tab;
  choose: (tab: Tab) => void;
}

export function Panel({ detail, trace, spans, span, lines, tab, choose }: Props) {
  const { run } = detail;
  const shown = TABS.filter((one) => (one !== "error" || run.error !== null) && (one !== "streams" || run.streams.length > 0));
  const active = shown.includes(tab) ? tab : "details";
  return (
    <section aria-label="Run" className="flex min-h-0 flex-1 flex-col">
      <div role="tablist" aria-label="About the run" className="flex shrink-0 flex-wrap gap-x-0.5 border-b border-line px-2">
        {shown.map((one) => (
          <button
            key={one}
            type="button"
            role="tab"
            id={`tab-${one}`}
            aria-selected={one === active}
            aria-controls="panel"
            tabIndex={one === active ? 0 : -1}
            onClick={() => choose(one)}
            onKeyDown={(event) => {
              const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
              if (!step) return;
              event.preventDefault();
              const next = shown[(shown.indexOf(one) + step + shown.length) % shown.length];
              if (next) choose(next);
              document.getElementById(`tab-${next}`)?.focus();
            }}
            className={`-mb-px border-b-2 px-2 py-2 whitespace-nowrap ${one === active ? "border-accent font-medium" : "border-transparent text-dim hover:text-ink"} ${one === "error" ? "text-bad!" : ""}`}
          >
            {WORDS[one]}
            {one === "logs" && lines.length > 0 && <span className="num ml-1.5 rounded-full bg-raised px-1.5 text-xs text-dim">{lines.length}</span>}
          </button>
        ))}
      </div>
      <div role="tabpanel" id="panel" aria-labelledby={`tab-${active}`} className="flex min-h-0 flex-1 flex-col overflow-auto">
        {active === "details" && (span && !(isRun(span) && span.run_id === run.id) ? <SpanFacts span={span} run={run} /> : <RunFacts detail={detail} trace={trace} />)}
        {active === "error" && run.error && <ErrorView error={run.error} />}
        {active === "payload" && <Content run={run} name="payload" text={run.payload} stored={run.payload_ref !== null} />}
        {active === "output" && <Content run={run} name="output" text={run.output} stored={run.output_ref !== null} />}
        {active === "metadata" && <Content run={run} name="metadata" text={run.metadata} stored={false} />}
        {active === "logs" && <Logs lines={lines} />}
        {active === "streams" && <Streams run={run} />}
        {active === "timeline" && <Timeline run={run} spans={spans} />}
        {active === "context" && <div className="p-3"><JsonBlock text={contextOf(run)} label="Context" /></div>}
      </div>
    </section>
  );
}

function Content({ run, name, text, stored }: { run: Run; name: "payload" | "output" | "metadata"; text: string | null; stored: boolean }) {
  if (text !== null) {
    return (
      <div className="p-3">
        <JsonBlock text={text} label={WORDS[name]} />
      </div>
    );
  }
  if (stored) {
    const open = () => void request<{ presignedUrl: string }>("GET", `api/v1/runs/${run.id}/packets/${name}`).then((found) => window.open(found.presignedUrl, "_blank", "noopener"), sayFailure);
    return (
      <div className="p-6 text-center text-dim">
        <p className="mb-3">It is too large to be shown here.</p>
        <Button icon="out" onClick={open}>Open the {name}</Button>
      </div>
    );
  }
  return <p className="p-6 text-center text-dim">There is no {name} {name === "output" ? "yet" : ""}.</p>;
}

function ErrorView({ error }: { error: RunError }) {
  return (
    <div className="p-3">
      <div className="mb-3 rounded-lg border border-bad bg-bad-soft p-3">
        <p className="font-mono font-semibold text-bad">{error.name ?? "Error"}</p>
        <p className="mt-0.5 whitespace-pre-wrap [overflow-wrap:anywhere]">{error.message}</p>
      </div>
      {error.stack && <Traceback stack={error.stack} />}
    </div>
  );
}

/** The changes of its state, with the time that passed before each. */
function Timeline({ run, spans }: { run: Run; spans: Span[] }) {
  const moments = momentsOf(run, spans);
  return (
    <ol aria-label="Changes of its state" className="px-4 py-3">
      {moments.map((one, index) => (
        <li key={index} className="grid grid-cols-[0.75rem_minmax(0,1fr)_auto] items-baseline gap-x-2.5 border-b border-line py-1.5 last:border-0">
          <span className={`size-2 rounded-full ${TONES[one.tone]}`} aria-hidden="true" />
          <span>{one.text}</span>
          <span className="num text-right text-dim" title={moment(one.at)}>{index === 0 ? moment(one.at) : `+ ${duration(one.at - (moments[0]?.at ?? one.at))}`}</span>
        </li>
      ))}
    </ol>
  );
}

/** What the code could read of its run, and everything else that the server keeps of it. */
function contextOf(run: Run): string {
  const { payload: _payload, output: _output, error: _error, metadata: _metadata, ...rest } = run;
  return JSON.stringify(Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== null && value !== "")));
}

const Fact = ({ name, children }: { name: string; children: ReactNode }) => (
  <div className="grid grid-cols-[7.5rem_minmax(0,1fr)] gap-2 border-b border-line py-1.5 last:border-0">
    <dt className="text-dim">{name}</dt>
    <dd className="[overflow-wrap:anywhere]">{children}</dd>
  </div>
);

const Mono = ({ children }: { children: string }) => <code className="font-mono text-[12.5px]">{children}</code>;

function RunLink({ run }: { run: Run }) {
  return (
    <Link to="/runs/$run" params={{ run: run.id }} className="inline-flex items-center gap-1.5 text-accent hover:underline">
      <StatusBadge status={run.status} iconOnly /> {run.task}
    </Link>
  );
}

function RunFacts({ detail, trace }: { detail: RunDetail; trace: string | undefined }) {
  const { run } = detail;
  const list = (search: Record<string, string>, text: string) => (
    <Link to="/runs" search={search} className="text-accent hover:underline">
      {text}
    </Link>
  );
  return (
    <dl className="px-4 py-2">
      <Fact name="Run"><span className="flex items-center gap-1"><Mono>{run.id}</Mono><CopyButton text={run.id} label="Copy the id" /></span></Fact>
      <Fact name="Task">{list({ task: run.task }, run.task)}</Fact>
      <Fact name="Queue">{list({ queue: run.queue }, run.queue)}{run.concurrency_key && <> · key <Mono>{run.concurrency_key}</Mono></>}</Fact>
      <Fact name="Attempt">{run.attempt} of {run.max_attempts}{run.retry_at && ` · again ${moment(run.retry_at)}`}</Fact>
      <Fact name="Active for">{duration(run.active_ms)}</Fact>
      {detail.usage && <UsageFacts usage={detail.usage} />}
      <Fact name="Created">{moment(run.created_at)}</Fact>
      {run.delayed_until && <Fact name="Delayed until">{moment(run.delayed_until)}</Fact>}
      {run.started_at && <Fact name="Started">{moment(run.started_at)}</Fact>}
      {run.finished_at && <Fact name="Finished">{moment(run.finished_at)}</Fact>}
      {run.tags.length > 0 && <Fact name="Tags">{run.tags.map((tag) => <span key={tag} className="mr-2">{list({ tag }, tag)}</span>)}</Fact>}
      {run.version && <Fact name="Version">{list({ version: run.version }, run.version)}</Fact>}
      {detail.parent && <Fact name="Parent"><RunLink run={detail.parent} /></Fact>}
      {detail.root && detail.root.id !== detail.parent?.id && detail.root.id !== run.id && <Fact name="Root"><RunLink run={detail.root} /></Fact>}
      {trace && <Fact name="Trace"><span className="flex items-center gap-1 tracking-tight"><Mono>{trace}</Mono><CopyButton text={trace} label="Copy the id of the trace" /></span></Fact>}
      {detail.children.length > 0 && (
        <Fact name="Children">
          <ul className="space-y-0.5">{detail.children.slice(0, 20).map((child) => <li key={child.id}><RunLink run={child} /></li>)}</ul>
          {detail.children.length > 20 && <span className="text-dim">and more</span>}
        </Fact>
      )}
      {run.batch_id && <Fact name="Batch">{list({ batch: run.batch_id }, run.batch_id)}</Fact>}
      {run.schedule_id && <Fact name="Schedule">{list({ schedule: run.schedule_id }, detail.schedule?.description ?? run.schedule_id)}</Fact>}
      {run.replay_of && <Fact name="Replay of"><Link to="/runs/$run" params={{ run: run.replay_of }} className="text-accent hover:underline"><Mono>{run.replay_of}</Mono></Link></Fact>}
      {run.idempotency_key && <Fact name="Idempotency key"><Mono>{run.idempotency_key}</Mono></Fact>}
      {run.priority_ms > 0 && <Fact name="Priority">{duration(run.priority_ms)}</Fact>}
      {run.ttl_ms && <Fact name="Time to live">{duration(run.ttl_ms)}</Fact>}
      {run.max_duration_ms && <Fact name="Longest">{duration(run.max_duration_ms)}</Fact>}
      {run.machine && <Fact name="Machine">{run.machine}</Fact>}
      {run.region && <Fact name="Region">{run.region}</Fact>}
      {run.is_test && <Fact name="Test">yes</Fact>}
    </dl>
  );
}

/** What an entry gave, or what a program says of its span; it is asked for when somebody looks. */
function Result({ span }: { span: Span }) {
  const found = useAsk<Trace>("trace", { run_id: span.run_id, span_id: span.id });
  const data = found.data?.spans[0]?.data ?? span.data;
  return data === null ? null : <div className="py-2"><JsonBlock text={data} label={span.kind === "span" ? "Attributes" : "Result"} /></div>;
}

/** What the run and its models took, as far as it is known. */
function UsageFacts({ usage }: { usage: Usage }) {
  const plain = (value: number) => value.toLocaleString("en", { maximumFractionDigits: 4 });
  return (
    <>
      {usage.waiting_ms > 0 && <Fact name="Waited for">{duration(usage.waiting_ms)}</Fact>}
      {usage.payload_bytes + usage.output_bytes > 0 && <Fact name="Data">{plain(usage.payload_bytes)} bytes in, {plain(usage.output_bytes)} out</Fact>}
      {usage.calls > 0 && <Fact name="Model calls">{plain(usage.calls)}: {plain(usage.input_tokens)} tokens in, {plain(usage.output_tokens)} out</Fact>}
      {usage.cost > 0 && <Fact name="Cost">$ {plain(usage.cost)}</Fact>}
    </>
  );
}

function SpanFacts({ span, run }: { span: Span; run: Run }) {
  const [all, setAll] = useState(false);
  const events = all ? span.events : span.events.slice(0, 30);
  return (
    <dl className="px-4 py-2">
      <Fact name={isRun(span) ? "Task" : "Entry"}>{span.message}</Fact>
      {isRun(span) && span.status && (
        <>
          <Fact name="Status"><StatusBadge status={span.status} /></Fact>
          <Fact name="Run"><Link to="/runs/$run" params={{ run: span.run_id }} className="text-accent hover:underline"><Mono>{span.run_id}</Mono></Link></Fact>
        </>
      )}
      <Fact name="Kind">{kindOf(span).word}</Fact>
      <Fact name="Began">{moment(span.started_at)}</Fact>
      <Fact name="Took">{span.ended_at === null ? "going on" : duration(span.ended_at - span.started_at)}</Fact>
      {span.is_error && <Fact name="Result"><span className="text-bad">failed</span></Fact>}
      {span.is_canceled && <Fact name="Result">canceled</Fact>}
      {events.length > 0 && (
        <Fact name="Lines">
          {events.map((event, index) => (
            <p key={index} className={`font-mono text-[12.5px] ${/error|fatal/i.test(event.level) ? "text-bad" : ""}`}>{event.message}</p>
          ))}
          {span.events.length > events.length && <Button kind="ghost" onClick={() => setAll(true)}>{span.events.length - events.length} more</Button>}
        </Fact>
      )}
      {!isRun(span) && span.ended_at !== null && <Result key={span.id} span={span} />}
      {span.run_id === run.id && span.key && <RestartFrom run={run} span={span} />}
    </dl>
  );
}
