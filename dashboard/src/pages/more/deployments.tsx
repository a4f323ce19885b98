/* Versions of the code: which one new runs get, who executes each, and the way back. */

import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { useAct, useAsk } from "../../api/ask.ts";
import { call } from "../../api/call.ts";
import type { Deployment } from "../../api/types.ts";
import { Page } from "../../frame/page.tsx";
import { useMay } from "../../frame/session.ts";
import { Button, Dialog } from "../../ui/controls.tsx";
import { Grid } from "../../ui/grid.tsx";
import { Command, Empty, Failure, Loading, say } from "../../ui/say.tsx";
import { Ago } from "../../ui/time.tsx";

export function DeploymentsPage() {
  const search = useSearch({ strict: false }) as { after?: string };
  const navigate = useNavigate();
  const found = useAsk<{ deployments: Deployment[]; next: string | null }>("deployments", { after: search.after, limit: 25 }, { every: 5_000 });
  const act = useAct();
  const may = useMay("developer");
  const [asked, setAsked] = useState<Deployment | null>(null);
  const rows = found.data?.deployments ?? [];
  const current = rows.find((row) => row.current);
  const back = () => void act(async () => say(`New runs get ${(await call<Deployment>("rollback")).version}.`));
  return (
    <Page title="Deployments" actions={current && <Button icon="replay" disabled={!may} onClick={back}>Roll back</Button>}>
      {found.error && <Failure error={found.error} />}
      {found.isPending && <Loading />}
      {found.isSuccess && rows.length === 0 && (
        <Empty title="No versions yet">
          <p className="mb-3">While you write, workers take every run. In production each deployment is a version: runs stay in the one they began with, and new runs get the one that is promoted.</p>
          <Command>mainspring deploy</Command>
        </Empty>
      )}
      {rows.length > 0 && (
        <Grid
          label="Deployments"
          rows={rows}
          id={(row) => row.id}
          columns={[
            {
              name: "Version",
              cell: (row) => (
                <span className="flex flex-wrap items-center gap-2">
                  <Link to="/runs" search={{ version: row.version }} className="font-mono text-[12.5px] [overflow-wrap:anywhere] hover:underline">{row.version || "without a version"}</Link>
                  {row.current && <span className="rounded bg-accent-soft px-1.5 py-0.5 text-xs text-accent">current</span>}
                </span>
              ),
            },
            { name: "Workers", right: true, cell: (row) => <span className={`num ${row.current && !row.workers ? "text-wait" : ""}`}>{row.workers || <span className={row.current ? "" : "text-dim"}>none</span>}</span> },
            { name: "Python", wide: true, cell: (row) => <span className="text-dim">{row.runtime}</span> },
            { name: "Code", wide: true, cell: (row) => <span className="num text-dim">{row.hash ? `${Math.ceil(row.size / 1024).toLocaleString("en")} KB` : "announced by workers"}</span> },
            { name: "Promoted", right: true, wide: true, cell: (row) => <span className="text-dim">{row.promoted_at === null ? "never" : <Ago at={row.promoted_at} />}</span> },
            { name: "Created", right: true, wide: true, cell: (row) => <Ago at={row.created_at} /> },
            { name: "Actions", right: true, cell: (row) => !row.current && row.version && <Button disabled={!may} onClick={() => setAsked(row)}>Promote</Button> },
          ]}
        />
      )}
      {rows.length > 0 && rows.every((row) => !row.hash) && (
        <div className="max-w-xl px-4 py-5 md:px-5">
          <p className="mb-2 text-dim">Workers announced this code by themselves. In production each deployment is a version: runs stay in the one they began with, and new runs get the one that is promoted.</p>
          <Command>mainspring deploy</Command>
        </div>
      )}
      {(search.after || found.data?.next) && (
        <div className="flex justify-center gap-2 p-3">
          {search.after && <Button onClick={() => void navigate({ to: "/deployments" })}>Newest</Button>}
          {found.data?.next && <Button onClick={() => void navigate({ to: "/deployments", search: { after: found.data.next ?? undefined } })}>Older</Button>}
        </div>
      )}
      {asked && <Promote row={asked} onClose={() => setAsked(null)} />}
    </Page>
  );
}

interface Waiting {
  version: string;
  status: string;
  /** What a worker would be told, by place; more may follow. */
  order: [tag: string, runId: string, epoch: number, attempt: number, task: string];
  open: [string, string][];
}
interface Detail {
  deployment: Deployment;
  manifest: { tasks: { id: string; queue: string; payload_schema?: unknown }[] };
}

/** What changes with a version, and which runs wait in others: they stay there, or come along. */
function Promote({ row, onClose }: { row: Deployment; onClose: () => void }) {
  const act = useAct();
  const detail = useAsk<Detail>("get_deployment", { version: row.version });
  const waiting = useAsk<{ runs: Waiting[]; next: string | null }>("waiting_runs", { version: row.version, limit: 50 });
  const known = new Set(detail.data?.manifest.tasks.map((task) => task.id));
  const runs = (waiting.data?.runs ?? []).map(({ order: [, id, , , task], ...rest }) => ({ id, task, ...rest }));
  const lost = runs.filter((run) => !known.has(run.task)).length;
  const promote = () => void act(() => call("promote", { version: row.version })).then((done) => done && onClose());
  return (
    <Dialog title={`Promote ${row.version}`} onClose={onClose} wide>
      <p>New runs get this version{row.workers ? "." : <b className="font-medium text-wait">, but no worker of it is connected: they wait until one is.</b>} Runs that have begun stay in theirs.</p>
      {(detail.error ?? waiting.error) && <Failure error={detail.error ?? waiting.error} />}
      {detail.data && <p className="mt-2 text-dim">It has {known.size} {known.size === 1 ? "task" : "tasks"}: {[...known].slice(0, 12).join(", ")}{known.size > 12 && " …"}</p>}
      {waiting.isSuccess && runs.length === 0 && <p className="mt-2 text-dim">No run of another version waits.</p>}
      {detail.isSuccess && runs.length > 0 && (
        <section aria-label="Runs that wait" className="mt-4">
          <h3 className="mb-1 font-semibold">{waiting.data?.next ? "More than 50" : runs.length} {runs.length === 1 ? "run waits" : "runs wait"} in other versions{lost > 0 && <span className="text-bad">, {lost} of tasks that this one has not</span>}</h3>
          <div className="max-h-72 overflow-auto rounded-lg border border-line">
            <Grid
              label="Pre-flight"
              rows={runs}
              id={(run) => run.id}
              columns={[
                { name: "Run", cell: (run) => <Link to="/runs/$run" params={{ run: run.id }} className="hover:underline">{run.task}</Link> },
                { name: "Version", wide: true, cell: (run) => <span className="font-mono text-xs text-dim">{run.version || "none"}</span> },
                { name: "Waits for", wide: true, cell: (run) => <span className="text-dim [overflow-wrap:anywhere]">{run.open.map(([key, kind]) => `${kind} ${key}`).join(", ") || "its next attempt"}</span> },
                { name: "Here", right: true, cell: (run) => (known.has(run.task) ? <span className="text-dim">has its task</span> : <span className="text-bad">no such task</span>) },
              ]}
            />
          </div>
          <p className="mt-2 mb-1 text-dim">Whether their code still fits is found by replaying them, and those that fit can come along:</p>
          <Command>{`mainspring deploys preflight ${row.version}`}</Command>
        </section>
      )}
      <div className="mt-4 flex justify-end gap-2">
        <Button onClick={onClose}>Leave it</Button>
        <Button kind="primary" onClick={promote}>Promote it</Button>
      </div>
    </Dialog>
  );
}
