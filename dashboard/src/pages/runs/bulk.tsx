/* What is done to many runs: the bar over the list, and how far it has come. */

import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { call, chosenEnvironment } from "../../api/call.ts";
import { type Bulk, isFinal, type Run } from "../../api/types.ts";
import { useMay } from "../../frame/session.ts";
import { Button, Dialog } from "../../ui/controls.tsx";
import { sayFailure, sayUntil } from "../../ui/say.tsx";
import { filterOf, isFiltered, type Search } from "./filter.ts";

/** Chosen rows, or everything that the filter matches. */
export interface Selection {
  all: boolean;
  ids: Set<string>;
}

const MOST = 500;

interface Props {
  search: Search;
  runs: Run[];
  more: boolean;
  selection: Selection;
  selectAll: () => void;
  clear: () => void;
}

export function BulkBar({ search, runs, more, selection, selectAll, clear }: Props) {
  const [asked, setAsked] = useState<"cancel" | "replay" | null>(null);
  const may = useMay("operator");
  const count = selection.all ? null : selection.ids.size;
  const words = count === null ? `All ${isFiltered(search) ? "that match" : "runs"}` : `${count} selected`;
  const open = selection.all || runs.some((run) => selection.ids.has(run.id) && !isFinal(run.status));
  const start = async (kind: "cancel" | "replay") => {
    setAsked(null);
    const what = selection.all ? { filter: filterOf(search, Date.now()) } : { run_ids: [...selection.ids] };
    try {
      const bulk = await call<Bulk>("start_bulk", { kind, ...what, request_key: crypto.randomUUID() });
      sayUntil((over) => <BulkProgress id={bulk.id} kind={kind} over={over} />);
      clear();
    } catch (error) {
      sayFailure(error);
    }
  };
  return (
    <div role="region" aria-label="Selected runs" className="flex flex-wrap items-center gap-2 border-t border-line bg-panel px-4 py-2 md:px-5">
      <b className="font-medium">{words}</b>
      {!selection.all && (more || selection.ids.size < runs.length) && (
        <Button kind="ghost" onClick={selectAll}>
          Select all {isFiltered(search) ? "that match" : "runs"}
        </Button>
      )}
      <span className="flex-1" />
      {selection.ids.size > MOST && <span className="text-dim">At most {MOST} by hand</span>}
      <Button icon="replay" disabled={!may || selection.ids.size > MOST} onClick={() => setAsked("replay")}>
        Replay
      </Button>
      <Button icon="close" disabled={!may || !open || selection.ids.size > MOST} onClick={() => setAsked("cancel")}>
        Cancel runs
      </Button>
      <Button kind="ghost" onClick={clear}>
        Clear
      </Button>
      {asked && (
        <Dialog title={asked === "cancel" ? "Cancel runs" : "Replay runs"} onClose={() => setAsked(null)}>
          <p>
            {count === null ? `All runs of ${chosenEnvironment()}${isFiltered(search) ? " that match the filter" : ""}` : `${count} run${count === 1 ? "" : "s"}`} will be{" "}
            {asked === "cancel" ? "canceled; those that have ended stay as they are." : "made anew with the same payloads."}
          </p>
          <div className="mt-4 flex justify-end gap-2">
            <Button onClick={() => setAsked(null)}>Leave them</Button>
            <Button kind={asked === "cancel" ? "danger" : "primary"} onClick={() => void start(asked)}>
              {asked === "cancel" ? "Cancel them" : "Replay them"}
            </Button>
          </div>
        </Dialog>
      )}
    </div>
  );
}

/** How far a bulk action has come, and its end: by itself, or because somebody stops it. */
function BulkProgress({ id, kind, over }: { id: string; kind: string; over: () => void }) {
  const found = useQuery({
    queryKey: ["bulk", chosenEnvironment(), id],
    queryFn: () => call<Bulk>("get_bulk", { bulk_id: id }),
    refetchInterval: (query) => (query.state.data?.status === "pending" || !query.state.data ? 600 : false),
  });
  const bulk = found.data;
  const pending = bulk === undefined || bulk.status === "pending";
  useEffect(() => {
    if (!pending) over();
  }, [pending, over]);
  const stop = () => void call<Bulk>("abort_bulk", { bulk_id: id }).catch(sayFailure).finally(() => found.refetch());
  const done = (bulk?.success ?? 0) + (bulk?.failure ?? 0);
  return (
    <span className="flex flex-wrap items-center gap-x-3 gap-y-1">
      <span>
        {bulk?.status === "aborted" ? "Stopped after" : kind === "cancel" ? "Canceled" : "Replayed"} {done}
        {pending ? " so far…" : ` run${done === 1 ? "" : "s"}`}
        {bulk?.failure ? `, ${bulk.failure} failed` : ""}
        {bulk?.status === "aborted" ? "; the others stay as they are" : ""}
      </span>
      {pending && <Button onClick={stop}>Stop</Button>}
    </span>
  );
}
