/* Runs: the list, what it is filtered by, what is done to many at once. */

import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback, useEffect, useRef, useState } from "react";
import { useKeys } from "../../frame/shortcuts.tsx";
import { Page } from "../../frame/page.tsx";
import { Button } from "../../ui/controls.tsx";
import { Empty, Failure, Loading } from "../../ui/say.tsx";
import { BulkBar, type Selection } from "./bulk.tsx";
import { Chips } from "./chips.tsx";
import { isFiltered, type Search } from "./filter.ts";
import { useRuns } from "./list.ts";
import { StartCard } from "./start.tsx";
import { RunTable } from "./table.tsx";

const NOTHING: Selection = { all: false, ids: new Set() };

export function RunsPage() {
  const search = useSearch({ strict: false }) as Search;
  const navigate = useNavigate();
  const scroller = useRef<HTMLDivElement>(null);
  const atTop = useCallback(() => (scroller.current?.scrollTop ?? 0) < 8, []);
  const list = useRuns(search, atTop);
  const [filtering, setFiltering] = useState(false);
  const [selection, setSelection] = useState<Selection>(NOTHING);
  const [cursor, setCursor] = useState(-1);
  const change = (next: Search) => void navigate({ to: "/runs", search: next });
  useEffect(() => {
    setSelection(NOTHING);
    setCursor(-1);
  }, [search]);

  const toggle = (id: string) =>
    setSelection((held) => {
      const ids = new Set(held.all ? list.runs.map((run) => run.id) : held.ids);
      if (!ids.delete(id)) ids.add(id);
      return { all: false, ids };
    });
  const current = list.runs[cursor];
  useKeys({
    j: () => setCursor((held) => Math.min(held + 1, list.runs.length - 1)),
    k: () => setCursor((held) => Math.max(held - 1, 0)),
    x: () => current && toggle(current.id),
    f: () => setFiltering(true),
    Enter: () => current && void navigate({ to: "/runs/$run", params: { run: current.id } }),
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
          <Button onClick={() => change({})}>Show all runs</Button>
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
            cursor={cursor}
            atEnd={() => list.hasNextPage && !list.isFetchingNextPage && void list.fetchNextPage()}
          />
          {selected && (
            <BulkBar
              search={search}
              runs={list.runs}
              more={list.hasNextPage || list.fresh > 0}
              selection={selection}
              selectAll={() => setSelection({ all: true, ids: new Set() })}
              clear={() => setSelection(NOTHING)}
            />
          )}
        </div>
      )}
    </Page>
  );
}
