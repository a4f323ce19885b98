/* The table: only the rows that are seen are there. */

import { Link } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, type RefObject, useEffect } from "react";
import type { Run } from "../../api/types.ts";
import { StatusBadge } from "../../ui/status.tsx";
import { Ago, Lasting } from "../../ui/time.tsx";
import type { Selection } from "./bulk.tsx";
import { span } from "./filter.ts";

const ROW = 36;
const COLUMNS = "grid grid-cols-[28px_minmax(7rem,1fr)_minmax(0,1.2fr)_5.5rem] gap-x-3 px-4 md:grid-cols-[28px_9.5rem_minmax(8rem,1.4fr)_14.5rem_minmax(6rem,1fr)_3.5rem_5.5rem_6rem] md:px-5";
const WIDE = "max-md:hidden";

interface Props {
  runs: Run[];
  scroller: RefObject<HTMLDivElement | null>;
  selection: Selection;
  toggle: (id: string) => void;
  toggleAll: () => void;
  cursor: number;
  atEnd: () => void;
}

export function RunTable({ runs, scroller, selection, toggle, toggleAll, cursor, atEnd }: Props) {
  const rows = useVirtualizer({
    count: runs.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    overscan: 12,
    getItemKey: (index) => runs[index]?.id ?? index,
  });
  const shown = rows.getVirtualItems();
  const last = shown.at(-1)?.index ?? 0;
  useEffect(() => {
    if (last > runs.length - 30) atEnd();
  });
  useEffect(() => {
    if (cursor >= 0) rows.scrollToIndex(cursor);
  }, [cursor, rows]);
  const some = selection.all || selection.ids.size > 0;
  return (
    <div role="table" aria-label="Runs" aria-rowcount={runs.length + 1} className="flex min-h-0 flex-1 flex-col">
      <div role="rowgroup" className="border-b border-line bg-panel">
        <div role="row" className={`${COLUMNS} h-8 items-center text-xs font-medium text-dim`}>
          <span role="columnheader" className="flex">
            <input type="checkbox" aria-label={some ? "Select none" : "Select all shown"} checked={some} onChange={toggleAll} />
          </span>
          <span role="columnheader">Status</span>
          <span role="columnheader">Task</span>
          <span role="columnheader" className={WIDE}>Run</span>
          <span role="columnheader" className={WIDE}>Tags</span>
          <span role="columnheader" className={WIDE}>Tries</span>
          <span role="columnheader" className={`text-right ${WIDE}`}>Duration</span>
          <span role="columnheader" className="text-right">Created</span>
        </div>
      </div>
      <div ref={scroller} role="rowgroup" className="min-h-0 flex-1 overflow-y-auto" data-testid="rows">
        <div className="relative" style={{ height: rows.getTotalSize() }}>
          {shown.map((item) => {
            const run = runs[item.index];
            return (
              run && (
                <div key={run.id} className="absolute inset-x-0" style={{ top: item.start, height: ROW }}>
                  <Row run={run} number={item.index + 2} selected={selection.all || selection.ids.has(run.id)} current={item.index === cursor} toggle={toggle} />
                </div>
              )
            );
          })}
        </div>
      </div>
    </div>
  );
}

interface RowProps {
  run: Run;
  number: number;
  selected: boolean;
  current: boolean;
  toggle: (id: string) => void;
}

const Row = memo(function Row({ run, number, selected, current, toggle }: RowProps) {
  const [from, to] = span(run);
  const tone = selected ? "bg-accent-soft" : "hover:bg-raised";
  return (
    <div role="row" aria-rowindex={number} aria-selected={selected} className={`${COLUMNS} group relative h-9 items-center border-b border-line ${tone} ${current ? "shadow-[inset_3px_0_0_var(--accent)]" : ""}`}>
      <span role="cell" className="relative z-10 flex">
        <input type="checkbox" aria-label={`Select ${run.id}`} checked={selected} onChange={() => toggle(run.id)} />
      </span>
      <span role="cell" className="flex min-w-0 overflow-hidden">
        <StatusBadge status={run.status} />
      </span>
      <span role="cell" className="min-w-0 truncate font-medium">
        <Link to="/runs/$run" params={{ run: run.id }} preload={false} className="after:absolute after:inset-0">
          {run.task}
        </Link>
        {run.is_test && <span className="ml-2 rounded bg-raised px-1.5 py-0.5 text-xs font-normal text-dim">test</span>}
      </span>
      <span role="cell" className={`truncate font-mono text-xs text-dim ${WIDE}`}>{run.id}</span>
      <span role="cell" className={`flex min-w-0 gap-1 overflow-hidden ${WIDE}`}>
        {run.tags.map((tag) => (
          <span key={tag} className="rounded bg-raised px-1.5 py-0.5 text-xs whitespace-nowrap text-dim">{tag}</span>
        ))}
      </span>
      <span role="cell" className={`num text-dim ${WIDE}`}>{run.attempt > 1 ? run.attempt : ""}</span>
      <span role="cell" className={`text-right text-dim ${WIDE}`}>{run.started_at !== null && <Lasting from={from} to={to} />}</span>
      <span role="cell" className="text-right text-dim">
        <Ago at={run.created_at} />
      </span>
    </div>
  );
});
