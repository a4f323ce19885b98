/* One run. */

import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { useAsk } from "../../api/ask.ts";
import { isFinal, type Explanation, type Journal, type Run } from "../../api/types.ts";
import { Page } from "../../frame/page.tsx";
import { useMay } from "../../frame/session.ts";
import { useKeys } from "../../frame/shortcuts.tsx";
import { Button } from "../../ui/controls.tsx";
import { Icon } from "../../ui/icons.tsx";
import { Failure, Loading, Told } from "../../ui/say.tsx";
import { StatusBadge } from "../../ui/status.tsx";
import { duration, Lasting } from "../../ui/time.tsx";
import { Actions } from "./actions.tsx";
import { useRun } from "./data.ts";
import { CompleteToken } from "./decide.tsx";
import { useLines } from "./logs.tsx";
import { Panel, type Tab } from "./panel.tsx";
import { Settle } from "./settle.tsx";
import { Split } from "./split.tsx";
import { Waterfall } from "./waterfall.tsx";

type Search = { tab?: string | undefined; span?: string | undefined; zoom?: string | undefined };

export function RunPage() {
  const { run: id } = useParams({ strict: false }) as { run: string };
  return <One key={id} id={id} />;
}

function One({ id }: { id: string }) {
  const search = useSearch({ strict: false }) as Search;
  const navigate = useNavigate();
  const { run: found, trace, explained } = useRun(id);
  const lines = useLines(id);
  const detail = found.data;
  const open = (run: string | null | undefined) => run && void navigate({ to: "/runs/$run", params: { run } });
  useKeys({ p: () => open(detail?.run.parent_id), t: () => open(detail?.run.root_id) });

  if (found.error) {
    return (
      <Page title="Run">
        <Failure error={found.error} retry={() => void found.refetch()} />
        <p className="px-4"><Link to="/runs" className="text-accent hover:underline">All runs</Link></p>
      </Page>
    );
  }
  if (!detail) return <Page title="Run"><Loading /></Page>;
  const { run } = detail;
  const look = (next: Search) => void navigate({ to: "/runs/$run", params: { run: id }, search: { ...search, ...next }, replace: true });
  const tab = (search.tab ?? (run.error ? "error" : "details")) as Tab;
  const span = trace.data?.spans.find((one) => one.id === search.span);
  return (
    <Page title={run.task} lead={<Head run={run} />} tools={<Strip run={run} />} actions={<Actions run={run} />}>
      {explained && !isFinal(run.status) && <Why run={run} explained={explained} />}
      <Split
        left={
          trace.data ? (
            <Waterfall trace={trace.data} chosen={search.span ?? ""} choose={(one) => look({ span: one.id, tab: "details" })} openRun={open} zoom={search.zoom} onZoom={(zoom) => look({ zoom })} />
          ) : (
            <Loading />
          )
        }
        right={<Panel detail={detail} trace={trace.data?.trace_id} spans={trace.data?.spans ?? []} span={span} lines={lines} tab={tab} choose={(next) => look({ tab: next })} />}
      />
    </Page>
  );
}

function Head({ run }: { run: Run }) {
  return (
    <span className="flex min-w-0 flex-wrap items-center gap-x-3 gap-y-1">
      <Link to="/runs" className="flex items-center text-dim hover:text-ink" aria-label="All runs">
        <Icon name="caret" className="rotate-180" />
      </Link>
      <span className="[overflow-wrap:anywhere]">{run.task}</span>
      <span className="text-sm font-medium"><StatusBadge status={run.status} /></span>
      {run.is_test && <span className="rounded bg-raised px-1.5 py-0.5 text-xs font-normal text-dim">test</span>}
    </span>
  );
}

/** How the run's time was spent: before its start, active, and waiting. */
function Strip({ run }: { run: Run }) {
  const end = isFinal(run.status) ? run.finished_at : null;
  return (
    <dl className="flex flex-wrap gap-x-5 gap-y-0.5 text-dim">
      <div className="flex gap-1.5"><dt>Before its start</dt><dd className="text-ink"><Lasting from={run.created_at} to={run.started_at ?? end} /></dd></div>
      {run.started_at !== null && (
        <>
          <div className="flex gap-1.5"><dt>{end === null ? "Since its start" : "From start to end"}</dt><dd className="text-ink"><Lasting from={run.started_at} to={end} /></dd></div>
          <div className="flex gap-1.5"><dt>Active</dt><dd className="num text-ink">{duration(run.active_ms)}</dd></div>
        </>
      )}
      <div className="min-w-0 truncate font-mono text-[12.5px] leading-5 max-md:hidden"><dt className="sr-only">Id</dt><dd>{run.id}</dd></div>
    </dl>
  );
}

/** Why it does not run, and what would let it go on. */
function Why({ run, explained }: { run: Run; explained: Explanation }) {
  const may = useMay("developer");
  const [asked, setAsked] = useState<string | null>(null);
  const waits = run.status === "waiting";
  const journal = useAsk<Journal>("journal", { run_id: run.id }, { every: waits ? 3_000 : 0, enabled: waits });
  const open = waits ? (journal.data?.lines ?? []).filter((line) => line.status === "pending") : [];
  const stuck = open.find((line) => line.kind === "diverged");
  const close = () => {
    setAsked(null);
    void journal.refetch();
  };
  return (
    <div className="flex flex-wrap items-center gap-x-3 gap-y-2 border-b border-line bg-raised px-4 py-2 md:px-5">
      <span className="min-w-0 basis-full [overflow-wrap:anywhere] md:flex-1 md:basis-0"><b className="font-medium">Why it does not run:</b> <Told>{explained.text}</Told></span>
      {open.filter((line) => line.kind === "token").flatMap((line) => line.points).map((id) => (
        <Button key={id} icon="tokens" disabled={!may} onClick={() => setAsked(id)}>Complete the token</Button>
      ))}
      {stuck && <Button kind="primary" disabled={!may} onClick={() => setAsked("settle")}>Decide how it goes on</Button>}
      {stuck && asked === "settle" && <Settle run={run} line={stuck} onClose={close} />}
      {asked && asked !== "settle" && <CompleteToken id={asked} onClose={close} />}
    </div>
  );
}
