/* Batches and how far each has come, and what was done in bulk. */

import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useAct, useAsk } from "../../api/ask.ts";
import { call } from "../../api/call.ts";
import type { BatchBrief, Bulk } from "../../api/types.ts";
import { Page } from "../../frame/page.tsx";
import { useMay } from "../../frame/session.ts";
import { Button } from "../../ui/controls.tsx";
import { Grid } from "../../ui/grid.tsx";
import { Meter } from "../../ui/meter.tsx";
import { Command, Failure, Loading } from "../../ui/say.tsx";
import { Ago } from "../../ui/time.tsx";

const WORDS: Record<string, [string, string]> = {
  pending: ["takes items", "text-busy"],
  processing: ["running", "text-busy"],
  completed: ["completed", "text-good"],
  partial_failed: ["some items failed", "text-bad"],
  aborted: ["aborted", "text-off"],
};

export function BatchesPage() {
  const search = useSearch({ strict: false }) as { after?: string };
  const navigate = useNavigate();
  const found = useAsk<{ batches: BatchBrief[]; next: string | null }>("batches", { after: search.after, limit: 25 }, { follow: true, every: 5_000 });
  const bulks = useAsk<{ bulks: Bulk[] }>("bulks", { limit: 50 }, { every: 2_000 });
  const act = useAct();
  const may = useMay("operator");
  const batches = found.data?.batches ?? [];
  return (
    <Page title="Batches">
      {found.error && <Failure error={found.error} />}
      {found.isPending && <Loading />}
      {found.isSuccess && batches.length === 0 && (
        <div className="max-w-xl px-4 py-5 md:px-5">
          <h2 className="mb-1 font-semibold">No batches yet</h2>
          <p className="mb-2 text-dim">A batch is many runs that were triggered together; it is here until its runs are deleted.</p>
          <Command>{"await resize.batch_trigger([{\"path\": path} for path in paths])"}</Command>
        </div>
      )}
      {batches.length > 0 && (
        <Grid
          label="Batches"
          rows={batches}
          id={(batch) => batch.id}
          columns={[
            { name: "Batch", cell: (batch) => <Link to="/runs" search={{ batch: batch.id }} className="font-mono text-[12.5px] [overflow-wrap:anywhere] hover:underline max-md:text-[11px]">{batch.id}</Link> },
            { name: "Status", cell: (batch) => <span className={`whitespace-nowrap ${WORDS[batch.status]?.[1]}`}>{WORDS[batch.status]?.[0] ?? batch.status}</span> },
            { name: "Ended", cell: (batch) => <Meter value={batch.ended} most={batch.run_count || batch.received} label={`${batch.ended} of ${batch.run_count || batch.received} items are known to be over`} full="good" /> },
            { name: "Failed items", right: true, wide: true, cell: (batch) => <span className={`num ${batch.failed ? "text-bad" : "text-dim"}`}>{batch.failed}</span> },
            { name: "Created", right: true, wide: true, cell: (batch) => <Ago at={batch.created_at} /> },
          ]}
        />
      )}
      {(search.after || found.data?.next) && (
        <div className="flex justify-center gap-2 p-3">
          {search.after && <Button onClick={() => void navigate({ to: "/batches" })}>Newest</Button>}
          {found.data?.next && <Button onClick={() => void navigate({ to: "/batches", search: { after: found.data.next ?? undefined } })}>Older</Button>}
        </div>
      )}
      <h2 className="px-4 pt-5 pb-2 font-semibold md:px-5">Bulk actions</h2>
      {bulks.data?.bulks.length === 0 && <p className="px-4 pb-4 text-dim md:px-5">None. Select runs in the list of runs, then replay or cancel them.</p>}
      {(bulks.data?.bulks.length ?? 0) > 0 && (
        <Grid
          label="Bulk actions"
          rows={bulks.data?.bulks ?? []}
          id={(bulk) => bulk.id}
          columns={[
            { name: "Action", cell: (bulk) => <Link to="/runs" search={{ bulk: bulk.id }} className="font-medium capitalize hover:underline">{bulk.name ?? bulk.kind}</Link> },
            { name: "Status", cell: (bulk) => <span className={bulk.status === "pending" ? "text-busy" : bulk.status === "aborted" ? "text-off" : "text-good"}>{bulk.status}</span> },
            { name: "Done", cell: (bulk) => <Done bulk={bulk} /> },
            { name: "Created", right: true, wide: true, cell: (bulk) => <Ago at={bulk.created_at} /> },
            { name: "Actions", right: true, cell: (bulk) => bulk.status === "pending" && <Button disabled={!may} aria-label={`Stop ${bulk.name ?? bulk.kind}`} onClick={() => void act(() => call("abort_bulk", { bulk_id: bulk.id }))}>Stop</Button> },
          ]}
        />
      )}
    </Page>
  );
}

/** How many runs it has done; of a filter nobody knows how many match before it has come to the last. */
function Done({ bulk }: { bulk: Bulk }) {
  const done = bulk.success + bulk.failure;
  const known = bulk.total > done;
  return (
    <span className="flex flex-wrap items-center gap-x-2">
      {known ? <Meter value={done} most={bulk.total} label={`${done} of ${bulk.total} runs are done`} full="good" /> : <span className="num">{done}{bulk.status === "pending" && " so far"}</span>}
      {bulk.failure > 0 && <span className="num text-bad">{bulk.failure} failed</span>}
    </span>
  );
}
