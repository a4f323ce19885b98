/* One group of failed runs that are alike. */

import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useAct, useAsk } from "../../api/ask.ts";
import { call } from "../../api/call.ts";
import { type Range, RANGES, useMetric } from "../../api/metrics.ts";
import type { ErrorGroup, RunDetail, RunPage } from "../../api/types.ts";
import { Page } from "../../frame/page.tsx";
import { useMay } from "../../frame/session.ts";
import { Chart } from "../../ui/chart.tsx";
import { Button } from "../../ui/controls.tsx";
import { Grid } from "../../ui/grid.tsx";
import { Failure, Loading } from "../../ui/say.tsx";
import { StatusBadge } from "../../ui/status.tsx";
import { Ago, Lasting } from "../../ui/time.tsx";
import { Traceback } from "../../ui/traceback.tsx";

const LOOKS: Record<ErrorGroup["status"], [string, string]> = {
  new: ["new", "text-bad"],
  regressed: ["came back", "text-bad"],
  resolved: ["resolved", "text-good"],
  muted: ["muted", "text-off"],
};

export function FaultStatus({ status }: { status: ErrorGroup["status"] }) {
  return <span className={`whitespace-nowrap ${LOOKS[status][1]}`}>{LOOKS[status][0]}</span>;
}

export function FaultPage() {
  const { error: id } = useParams({ strict: false }) as { error: string };
  const found = useAsk<ErrorGroup>("get_error", { id }, { follow: true });
  const runs = useAsk<RunPage>("list", { filter: { error: [`#${id}`], limit: 50 } }, { follow: true });
  const group = found.data;
  const sample = useAsk<RunDetail>("inspect", { run_id: group?.last_run ?? "" }, { enabled: Boolean(group) });
  const act = useAct();
  const may = useMay("operator");
  const mark = (status: string) => void act(() => call("mark_error", { id, status }));
  if (found.error) return <Page title="Error"><Failure error={found.error} /></Page>;
  if (!group) return <Page title="Error"><Loading /></Page>;
  const open = group.status === "new" || group.status === "regressed";
  const stack = sample.data?.run.error?.stack;
  return (
    <Page
      title={group.name}
      lead={<span className="flex flex-wrap items-baseline gap-x-3"><span className="[overflow-wrap:anywhere]">{group.name}</span><span className="text-sm font-normal"><FaultStatus status={group.status} /></span></span>}
      actions={
        <>
          {open && <Button kind="primary" icon="check" disabled={!may} onClick={() => mark("resolved")}>Resolve</Button>}
          {open && <Button icon="pause" disabled={!may} onClick={() => mark("muted")}>Mute</Button>}
          {!open && <Button icon="replay" disabled={!may} onClick={() => mark("new")}>Open again</Button>}
        </>
      }
    >
      <div className="px-4 pt-4 md:px-5">
        <p className="[overflow-wrap:anywhere]">{group.message}</p>
        <dl className="mt-4 grid grid-cols-2 gap-x-6 gap-y-3 sm:grid-cols-3 lg:grid-cols-6">
          <Fact name="Runs"><span className="num">{group.count.toLocaleString("en")}</span></Fact>
          <Fact name="Task"><Link to="/runs" search={{ task: group.task }} className="hover:underline">{group.task}</Link></Fact>
          <Fact name="First"><Ago at={group.first_at} /></Fact>
          <Fact name="Last"><Ago at={group.last_at} /></Fact>
          <Fact name="Place"><span className="font-mono text-xs">{group.place || "no traceback"}</span></Fact>
          <Fact name="Versions"><span className="font-mono text-xs">{[...new Set([group.first_version, group.last_version])].filter(Boolean).join(" … ") || "none"}</span></Fact>
        </dl>
        <Hours id={id} />
        {stack && <div className="mt-4"><Traceback stack={stack} /></div>}
        <div className="mt-5 mb-2 flex flex-wrap items-baseline justify-between gap-2">
          <h2 className="font-semibold">Its runs</h2>
          <Link to="/runs" search={{ error: `#${id}` }} className="text-accent underline">All of them, to replay or cancel in bulk</Link>
        </div>
      </div>
      {runs.isSuccess && runs.data.runs.length === 0 && <p className="px-4 pb-6 text-dim md:px-5">They have been deleted by retention.</p>}
      {(runs.data?.runs.length ?? 0) > 0 && (
        <Grid
          label="Its runs"
          rows={runs.data?.runs ?? []}
          id={(run) => run.id}
          columns={[
            { name: "Run", cell: (run) => <Link to="/runs/$run" params={{ run: run.id }} className="font-mono text-[12.5px] [overflow-wrap:anywhere] hover:underline">{run.id}</Link> },
            { name: "Status", cell: (run) => <StatusBadge status={run.status} /> },
            { name: "Version", wide: true, cell: (run) => <span className="font-mono text-xs text-dim">{run.version}</span> },
            { name: "Took", right: true, wide: true, cell: (run) => <Lasting from={run.started_at ?? run.created_at} to={run.finished_at} /> },
            { name: "Created", right: true, cell: (run) => <Ago at={run.created_at} /> },
          ]}
        />
      )}
    </Page>
  );
}

const STRETCHES = RANGES.filter((range) => ["24h", "7d", "30d"].includes(range.word));

/** When it happened, over a time that stands in the address. */
function Hours({ id }: { id: string }) {
  const search = useSearch({ strict: false }) as { range?: string };
  const navigate = useNavigate();
  const range = STRETCHES.find((one) => one.word === search.range) ?? (STRETCHES[0] as Range);
  const found = useMetric("runs.failed", range, [], { error: id });
  const data = found.data;
  if (!data) return null;
  const values = new Map(data.series[0]?.points.map((point) => [point.at, point.total]));
  return (
    <section aria-label="When it happened" className="mt-5">
      <div className="mb-1.5 flex items-center justify-between gap-2">
        <h2 className="font-semibold">When it happened</h2>
        <div role="group" aria-label="Time" className="flex gap-1">
          {STRETCHES.map((one) => (
            <Button key={one.word} kind={one === range ? "plain" : "ghost"} aria-pressed={one === range} onClick={() => void navigate({ to: "/errors/$error", params: { error: id }, search: { range: one === STRETCHES[0] ? undefined : one.word }, replace: true })}>{one.word}</Button>
          ))}
        </div>
      </div>
      {values.size > 0 ? (
        <Chart label="Runs that failed so" kind="bars" height={64} tracks={[{ name: "runs that failed so", color: "text-bad", values }]} since={data.since} until={data.until} step={data.step_ms} show={(value) => value.toLocaleString("en", { maximumFractionDigits: 0 })} />
      ) : (
        <p className="text-dim">Not in this time, or before it was counted.</p>
      )}
    </section>
  );
}

function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <div className="min-w-0">
      <dt className="text-xs text-dim">{name}</dt>
      <dd className="[overflow-wrap:anywhere]">{children}</dd>
    </div>
  );
}
