/* The table: only the rows that are seen are there. */

import { Link } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, type RefObject, useEffect, useRef, useState } from "react";
import type { Run } from "../../api/types.ts";
import { StatusBadge } from "../../ui/status.tsx";
import { Ago } from "../../ui/time.tsx";
import type { Selection } from "./bulk.tsx";
import type { Column } from "./columns.tsx";
import { RowActions, type Verb } from "./rowactions.tsx";

const ROW = 36;
/** Where it is narrow: the box, status, task and when it was made; else what was chosen. */
const GRID = "grid grid-cols-[28px_minmax(7rem,1fr)_minmax(0,1.2fr)_5.5rem] gap-x-3 px-4 md:grid-cols-(--columns) md:px-5";
const FIRST = "28px 9.5rem minmax(8rem,1.4fr)";
/** What these, the edges and a gap take at least, in rem. */
const FIRST_LEAST = 23;
const GAP = 0.75;
const WIDE = "max-md:hidden";

interface Props {
  runs: Run[];
  scroller: RefObject<HTMLDivElement | null>;
  selection: Selection;
  toggle: (id: string) => void;
  toggleAll: () => void;
  /** The id of the run that keys act on. */
  cursor: string | undefined;
  atEnd: () => void;
  columns: Column[];
  act: (verb: Verb, run: Run) => void;
}

export function RunTable({ runs, scroller, selection, toggle, toggleAll, cursor, atEnd, columns, act }: Props) {
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
  const held = useRef(runs);
  held.current = runs;
  useEffect(() => {
    if (cursor !== undefined) rows.scrollToIndex(held.current.findIndex((run) => run.id === cursor));
  }, [cursor, rows]); // not when others come above it
  const some = selection.all || selection.ids.size > 0;
  const look = {
    "--columns": [FIRST, ...columns.map((column) => column.width)].join(" "),
    "--least": `${columns.reduce((sum, column) => sum + column.least + GAP, FIRST_LEAST)}rem`,
  };
  return (
    <div className="flex min-h-0 flex-1 flex-col overflow-x-auto">
      <div role="table" aria-label="Runs" aria-rowcount={runs.length + 1} className="flex min-h-0 flex-1 flex-col md:min-w-(--least)" style={look as React.CSSProperties}>
        <div role="rowgroup" className="overflow-hidden border-b border-line bg-panel [scrollbar-gutter:stable]">
          <div role="row" className={`${GRID} h-8 items-center text-xs font-medium text-dim`}>
            <span role="columnheader" className="flex">
              <input type="checkbox" aria-label={some ? "Select none" : "Select all shown"} checked={some} onChange={toggleAll} />
            </span>
            <span role="columnheader">Status</span>
            <span role="columnheader">Task</span>
            {columns.map((column) => (
              <span key={column.id} role="columnheader" className={`${column.right ? "text-right" : ""} ${column.id === "created" ? "" : WIDE}`}>{column.word}</span>
            ))}
            {!columns.some((column) => column.id === "created") && <span role="columnheader" className="text-right md:hidden">Created</span>}
          </div>
        </div>
        <div ref={scroller} role="rowgroup" className="min-h-0 flex-1 overflow-y-auto [scrollbar-gutter:stable]" data-testid="rows">
          <div className="relative" style={{ height: rows.getTotalSize() }}>
            {shown.map((item) => {
              const run = runs[item.index];
              return (
                run && (
                  <div key={run.id} className="absolute inset-x-0" style={{ top: item.start, height: ROW }}>
                    <Row run={run} number={item.index + 2} selected={selection.all || selection.ids.has(run.id)} current={run.id === cursor} toggle={toggle} columns={columns} act={act} />
                  </div>
                )
              );
            })}
          </div>
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
  columns: Column[];
  act: (verb: Verb, run: Run) => void;
}

const Row = memo(function Row({ run, number, selected, current, toggle, columns, act }: RowProps) {
  const [near, setNear] = useState(false);
  const tone = selected ? "bg-accent-soft" : "hover:bg-raised";
  return (
    <div
      role="row"
      aria-rowindex={number}
      aria-selected={selected}
      onPointerEnter={() => setNear(true)}
      onPointerLeave={() => setNear(false)}
      onFocus={() => setNear(true)}
      onBlur={(event) => setNear(event.currentTarget.contains(event.relatedTarget))}
      className={`${GRID} relative h-9 items-center border-b border-line ${tone} ${current ? "shadow-[inset_3px_0_0_var(--accent)]" : ""}`}
    >
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
      {columns.map((column) => (
        <span key={column.id} role="cell" className={`min-w-0 ${column.right ? "text-right" : ""} ${column.id === "created" ? "" : WIDE}`}>{column.cell(run)}</span>
      ))}
      {!columns.some((column) => column.id === "created") && <span role="cell" className="text-right text-dim md:hidden"><Ago at={run.created_at} /></span>}
      {(near || current) && <span role="cell" className={WIDE}><RowActions run={run} act={act} /></span>}
    </div>
  );
});
