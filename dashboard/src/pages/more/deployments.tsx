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
  const promote = (row: Deployment) => void act(() => call("promote", { version: row.version })).then((done) => done && setAsked(null));
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
      {(search.after || found.data?.next) && (
        <div className="flex justify-center gap-2 p-3">
          {search.after && <Button onClick={() => void navigate({ to: "/deployments" })}>Newest</Button>}
          {found.data?.next && <Button onClick={() => void navigate({ to: "/deployments", search: { after: found.data.next ?? undefined } })}>Older</Button>}
        </div>
      )}
      {asked && (
        <Dialog title={`Promote ${asked.version}`} onClose={() => setAsked(null)}>
          <p>New runs get this version{asked.workers ? "." : <b className="font-medium text-wait">, but no worker of it is connected: they wait until one is.</b>} Runs that have begun stay in theirs.</p>
          <div className="mt-4 flex justify-end gap-2">
            <Button onClick={() => setAsked(null)}>Leave it</Button>
            <Button kind="primary" onClick={() => promote(asked)}>Promote it</Button>
          </div>
        </Dialog>
      )}
    </Page>
  );
}
