/* Workers that are connected, and what each of them holds. */

import { Link } from "@tanstack/react-router";
import { useAsk } from "../../api/ask.ts";
import type { Worker } from "../../api/types.ts";
import { Page } from "../../frame/page.tsx";
import { Grid } from "../../ui/grid.tsx";
import { Command, Empty, Failure, Loading } from "../../ui/say.tsx";
import { Meter } from "../../ui/meter.tsx";
import { Ago } from "../../ui/time.tsx";

const SHOWN = 4;

export function WorkersPage() {
  const found = useAsk<{ workers: Worker[] }>("workers", {}, { follow: true, every: 4_000 });
  const workers = found.data?.workers ?? [];
  const slots = workers.reduce((sum, worker) => sum + worker.slots, 0);
  return (
    <Page title="Workers" tools={workers.length > 0 && <p className="num text-dim">{workers.length} {workers.length === 1 ? "process" : "processes"}, {slots} slots</p>}>
      {found.error && <Failure error={found.error} />}
      {found.isPending && <Loading />}
      {found.isSuccess && workers.length === 0 && (
        <Empty title="No worker is connected">
          <p className="mb-3">Runs wait until one is. On your machine one command is server and worker; in production start workers beside the server, as many as you like:</p>
          <div className="space-y-2"><Command>mainspring dev</Command><Command>mainspring worker</Command></div>
        </Empty>
      )}
      {workers.length > 0 && (
        <Grid
          label="Workers"
          rows={workers}
          id={(worker) => worker.id}
          columns={[
            {
              name: "Worker",
              cell: (worker) => (
                <span className="[overflow-wrap:anywhere]">
                  <b className="font-medium">{worker.host || "this process"}</b>
                  {worker.pid > 0 && <span className="num text-dim"> · pid {worker.pid}</span>}
                </span>
              ),
            },
            { name: "State", cell: (worker) => (worker.connected ? <span className="text-good">connected</span> : <span className="text-wait" title="Its lease still runs; if it does not come back, its runs start again elsewhere.">link lost</span>) },
            { name: "Slots", cell: (worker) => <Meter value={worker.running} most={worker.slots} label={`${worker.running} of ${worker.slots} slots taken`} /> },
            { name: "Waiting", right: true, wide: true, cell: (worker) => <span className="num" title="Runs that wait in its memory without a slot">{worker.waiting}</span> },
            { name: "Tasks", wide: true, cell: (worker) => <Tasks names={worker.tasks} /> },
            { name: "Version", wide: true, cell: (worker) => <span className="font-mono text-xs text-dim">{worker.version || "none"}</span> },
            { name: "Since", right: true, cell: (worker) => (worker.since === null ? <span className="text-dim" title="It was here before this server">before</span> : <Ago at={worker.since} />) },
          ]}
        />
      )}
    </Page>
  );
}

function Tasks({ names }: { names: string[] }) {
  return (
    <span className="text-dim" title={names.join(", ")}>
      {names.slice(0, SHOWN).map((name, index) => (
        <span key={name}>{index > 0 && ", "}<Link to="/runs" search={{ task: name }} className="hover:underline">{name}</Link></span>
      ))}
      {names.length > SHOWN && ` and ${names.length - SHOWN} more`}
    </span>
  );
}
