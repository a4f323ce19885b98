/* Runs: the list, what it is filtered by, what is done to many at once. */

import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback, useMemo, useRef, useState } from "react";
import { isFinal, type Run } from "../../api/types.ts";
import { useMay } from "../../frame/session.ts";
import { useKeys } from "../../frame/shortcuts.tsx";
import { Page } from "../../frame/page.tsx";
import { Button } from "../../ui/controls.tsx";
import { Empty, Failure, Loading } from "../../ui/say.tsx";
import { BulkBar, type Selection } from "./bulk.tsx";
import { Chips } from "./chips.tsx";
import { columnsOf } from "./columns.tsx";
import { useCursor } from "./cursor.ts";
import { isFiltered, type Search } from "./filter.ts";
import { useRuns } from "./list.ts";
import { AskOne, copyId, type Verb } from "./rowactions.tsx";
import { StartCard } from "./start.tsx";
import { RunTable } from "./table.tsx";

const NOTHING: Selection = { all: false, ids: new Set() };

export function RunsPage() {
  const search = useSearch({ strict: false }) as Search;
  const navigate = useNavigate();
  const scroller = useRef<HTMLDivElement>(null);
  const atTop = useCallback(() => (scroller.current?.scrollTop ?? 0) < 8, []);
  const kept = JSON.stringify({ ...search, columns: undefined });
  const filter = useMemo(() => JSON.parse(kept) as Search, [kept]);
  const columns = useMemo(() => columnsOf(search.columns), [search.columns]);
  const list = useRuns(filter, atTop);
  const [filtering, setFiltering] = useState(false);
  const [selection, setSelection] = useState<Selection>(NOTHING);
  const { current, move, leave } = useCursor(list.runs);
  const [asked, setAsked] = useState<{ verb: "cancel" | "replay"; run: Run } | null>(null);
  const may = useMay("operator");
  const change = (next: Search) => void navigate({ to: "/runs", search: next });
  const [chosenOf, setChosenOf] = useState(filter);
  if (chosenOf !== filter) {
    // not in an effect: it would undo what the first key does after the other rows are shown
    setChosenOf(filter);
    setSelection(NOTHING);
    leave();
  }

  const shown = useRef(list.runs);
  shown.current = list.runs;
  const toggle = useCallback(
    (id: string) =>
      setSelection((held) => {
        const ids = new Set(held.all ? shown.current.map((run) => run.id) : held.ids);
        if (!ids.delete(id)) ids.add(id);
        return { all: false, ids };
      }),
    [],
  );
  const act = useCallback((verb: Verb, run: Run) => (verb === "copy" ? copyId(run) : setAsked({ verb, run })), []);
  const open = (id: string) => void navigate({ to: "/runs/$run", params: { run: id } });
  useKeys({
    j: () => move(1),
    k: () => move(-1),
    x: () => current && toggle(current.id),
    f: () => setFiltering(true),
    r: () => current && may && act("replay", current),
    c: () => current && may && !isFinal(current.status) && act("cancel", current),
    y: () => current && copyId(current),
    Enter: () => current && open(current.id),
    Escape: () => setSelection(NOTHING),
  });

  const selected = selection.all || selection.ids.size > 0;
  return (
    <Page title="Runs" tools={<Chips search={search} change={change} open={filtering} onOpen={setFiltering} />}>
      {list.error && <Failure error={list.error} retry={() => void list.refetch()} />}
      {list.isPending && <Loading />}
      {list.isSuccess && list.runs.length === 0 && !isFiltered(search) && <StartCard />}
      {list.isSuccess && list.runs.length === 0 && isFiltered(search) && (
        <Empty title="No run matches">
          <Button onClick={() => change({ columns: search.columns })}>Show all runs</Button>
        </Empty>
      )}
      {list.runs.length > 0 && (
        <div className="relative flex min-h-0 flex-1 flex-col">
          {list.fresh > 0 && (
            <Button
              kind="primary"
              className="absolute! top-11 left-1/2 z-10 -translate-x-1/2 rounded-full shadow-lg"
              onClick={() => {
                list.show();
                scroller.current?.scrollTo({ top: 0 });
              }}
            >
              {list.fresh >= 100 ? "100 or more" : list.fresh} new
            </Button>
          )}
          <RunTable
            runs={list.runs}
            scroller={scroller}
            selection={selection}
            toggle={toggle}
            toggleAll={() => setSelection(selected ? NOTHING : { all: false, ids: new Set(list.runs.map((run) => run.id)) })}
            cursor={current?.id}
            columns={columns}
            act={act}
            atEnd={() => list.hasNextPage && !list.isFetchingNextPage && void list.fetchNextPage()}
          />
          {selected && (
            <BulkBar
              search={filter}
              runs={list.runs}
              more={list.hasNextPage || list.fresh > 0}
              selection={selection}
              selectAll={() => setSelection({ all: true, ids: new Set() })}
              clear={() => setSelection(NOTHING)}
            />
          )}
        </div>
      )}
      {asked && <AskOne {...asked} onClose={() => setAsked(null)} open={open} />}
    </Page>
  );
}
