/* Batches of the newest runs, and what was done in bulk. */

import { Link, useNavigate } from "@tanstack/react-router";
import { useQueries } from "@tanstack/react-query";
import { useState } from "react";
import { useAct, useAsk } from "../../api/ask.ts";
import { call, chosenEnvironment } from "../../api/call.ts";
import type { Bulk, RunPage } from "../../api/types.ts";
import { Page } from "../../frame/page.tsx";
import { useMay } from "../../frame/session.ts";
import { Button } from "../../ui/controls.tsx";
import { Grid } from "../../ui/grid.tsx";
import { Ago } from "../../ui/time.tsx";

interface Batch {
  id: string;
  status: string;
  created_at: number;
  run_count: number;
}

const NEWEST = 100;
const SHOWN = 20;

export function BatchesPage() {
  const navigate = useNavigate();
  const [text, setText] = useState("");
  const newest = useAsk<RunPage>("list", { filter: { limit: NEWEST } }, { follow: true });
  const ids = [...new Set(newest.data?.runs.map((run) => run.batch_id).filter((id): id is string => id !== null))].slice(0, SHOWN);
  const batches = useQueries({
    queries: ids.map((id) => ({ queryKey: ["ask", chosenEnvironment(), "get_batch", id], queryFn: () => call<Batch>("get_batch", { batch_id: id }), refetchInterval: 5_000 })),
    combine: (results) => results.map((result) => result.data).filter((one): one is Batch => one !== undefined),
  });
  const bulks = useAsk<{ bulks: Bulk[] }>("bulks", { limit: 50 }, { every: 2_000 });
  const act = useAct();
  const may = useMay("operator");
  return (
    <Page
      title="Batches"
      tools={
        <form className="flex max-w-md gap-2" onSubmit={(event) => { event.preventDefault(); void navigate({ to: "/runs", search: { batch: text.trim() } }); }}>
          <input className="field font-mono" aria-label="Id of a batch" placeholder="batch_…" required value={text} onChange={(event) => setText(event.target.value)} />
          <Button type="submit">Show its runs</Button>
        </form>
      }
    >
      <Heading>Batches among the newest {NEWEST} runs</Heading>
      {batches.length === 0 && <p className="px-4 pb-4 text-dim md:px-5">None. <code className="font-mono text-[13px]">await task.batch_trigger([…])</code> makes one.</p>}
      {batches.length > 0 && (
        <Grid
          label="Batches"
          rows={batches}
          id={(batch) => batch.id}
          columns={[
            { name: "Batch", cell: (batch) => <Link to="/runs" search={{ batch: batch.id }} className="font-mono text-[12.5px] [overflow-wrap:anywhere] hover:underline">{batch.id}</Link> },
            { name: "Status", cell: (batch) => batch.status.replaceAll("_", " ").toLowerCase() },
            { name: "Runs", right: true, cell: (batch) => <span className="num">{batch.run_count}</span> },
            { name: "Created", right: true, wide: true, cell: (batch) => <Ago at={batch.created_at} /> },
          ]}
        />
      )}
      <Heading>Bulk actions</Heading>
      {bulks.data?.bulks.length === 0 && <p className="px-4 pb-4 text-dim md:px-5">None. Select runs in the list of runs, then replay or cancel them.</p>}
      {(bulks.data?.bulks.length ?? 0) > 0 && (
        <Grid
          label="Bulk actions"
          rows={bulks.data?.bulks ?? []}
          id={(bulk) => bulk.id}
          columns={[
            { name: "Action", cell: (bulk) => <Link to="/runs" search={{ bulk: bulk.id }} className="font-medium capitalize hover:underline">{bulk.name ?? bulk.kind}</Link> },
            { name: "Status", cell: (bulk) => <span className={bulk.status === "pending" ? "text-busy" : bulk.status === "aborted" ? "text-off" : "text-good"}>{bulk.status}</span> },
            { name: "Done", right: true, cell: (bulk) => <span className="num">{bulk.success + bulk.failure} of {bulk.total}{bulk.failure > 0 && <span className="text-bad">, {bulk.failure} failed</span>}</span> },
            { name: "Created", right: true, wide: true, cell: (bulk) => <Ago at={bulk.created_at} /> },
            { name: "Actions", right: true, cell: (bulk) => bulk.status === "pending" && <Button disabled={!may} onClick={() => void act(() => call("abort_bulk", { bulk_id: bulk.id }))}>Stop</Button> },
          ]}
        />
      )}
    </Page>
  );
}

const Heading = ({ children }: { children: React.ReactNode }) => <h2 className="px-4 pt-4 pb-2 font-semibold md:px-5">{children}</h2>;
