/* The waterfall: what happened in the run and below it, on one axis of time. */

import { useVirtualizer } from "@tanstack/react-virtual";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { type Span, type Trace } from "../../api/types.ts";
import { useKeys } from "../../frame/shortcuts.tsx";
import { Icon } from "../../ui/icons.tsx";
import { StatusIcon, statusBar } from "../../ui/status.tsx";
import { duration, useFrames } from "../../ui/time.tsx";
import { allOf, type Axis, axisOf, isGoingOn, isOpen, isRun, kindOf, type Node, rowsOf, treeOf } from "./tree.ts";

const ROW = 28;

interface Props {
  trace: Trace;
  chosen: string;
  choose: (span: Span) => void;
  openRun: (id: string) => void;
}

export function Waterfall({ trace, chosen, choose, openRun }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const [now, setNow] = useState(Date.now);
  useFrames(isGoingOn(trace), useCallback(() => setNow(Date.now()), []));
  const root = useMemo(() => treeOf(trace), [trace]);
  const [toggled, setToggled] = useState<ReadonlySet<string>>(new Set());
  const rows = useMemo(() => (root ? rowsOf(root, toggled) : []), [root, toggled]);
  const axis = axisOf(trace, now);
  const list = useVirtualizer({ count: rows.length, getScrollElement: () => scroller.current, estimateSize: () => ROW, overscan: 20 });
  const place = Math.max(0, rows.findIndex((row) => row.span.id === chosen));

  const toggle = (id: string) =>
    setToggled((held) => {
      const next = new Set(held);
      if (!next.delete(id)) next.add(id);
      return next;
    });
  const move = (to: number) => {
    const node = rows[Math.max(0, Math.min(rows.length - 1, to))];
    if (node) choose(node.span);
  };
  const here = rows[place];
  useKeys({
    ArrowDown: () => move(place + 1),
    ArrowUp: () => move(place - 1),
    ArrowLeft: () => here && (isOpen(here, toggled) ? toggle(here.span.id) : here.parent && choose(here.parent.span)),
    ArrowRight: () => here && here.children.length > 0 && !isOpen(here, toggled) && toggle(here.span.id),
    e: () => root && setToggled(allOf(root, true)),
    w: () => root && setToggled(allOf(root, false)),
    Enter: () => here && isRun(here.span) && place > 0 && openRun(here.span.run_id),
  });
  useEffect(() => {
    list.scrollToIndex(place);
  }, [list, place]);

  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <Scale axis={axis} />
      <div ref={scroller} role="tree" aria-label="What happened" aria-activedescendant={chosen ? `span-${chosen}` : undefined} tabIndex={0} className="min-h-0 flex-1 overflow-y-auto pb-4">
        <div className="relative" style={{ height: list.getTotalSize() }}>
          {list.getVirtualItems().map((item) => {
            const node = rows[item.index];
            return (
              node && (
                <div key={node.span.id} className="absolute inset-x-0" style={{ top: item.start, height: ROW }}>
                  <Row node={node} open={isOpen(node, toggled)} axis={axis} chosen={node.span.id === (chosen || rows[0]?.span.id)} toggle={toggle} choose={choose} openRun={openRun} />
                </div>
              )
            );
          })}
        </div>
      </div>
      {trace.truncated && <p className="border-t border-line px-4 py-1.5 text-dim">There is more than can be shown here: at most 100 runs and 10,000 entries.</p>}
    </div>
  );
}

const COLUMNS = "grid grid-cols-[minmax(9rem,42%)_1fr_4rem] md:grid-cols-[minmax(13rem,38%)_1fr_4.5rem]";

function Scale({ axis }: { axis: Axis }) {
  const length = axis.to - axis.from;
  return (
    <div className={`${COLUMNS} h-7 items-center border-b border-line px-3 text-xs text-dim`} aria-hidden="true">
      <span />
      <span className="num flex justify-between">
        <span>0</span>
        <span className="max-md:hidden">{duration(length / 2)}</span>
        <span>{duration(length)}</span>
      </span>
      <span />
    </div>
  );
}

interface RowProps {
  node: Node;
  open: boolean;
  axis: Axis;
  chosen: boolean;
  toggle: (id: string) => void;
  choose: (span: Span) => void;
  openRun: (id: string) => void;
}

function Row({ node, open, axis, chosen, toggle, choose, openRun }: RowProps) {
  const { span, depth } = node;
  const length = axis.to - axis.from;
  const end = span.ended_at ?? axis.to;
  const left = ((span.started_at - axis.from) / length) * 100;
  const width = ((end - span.started_at) / length) * 100;
  const kind = kindOf(span);
  const color = span.is_error ? "bg-bad" : span.is_canceled ? "bg-off" : isRun(span) && span.status ? statusBar(span.status) : kind.bar;
  const told = span.ended_at === null ? "going on" : duration(end - span.started_at);
  const child = isRun(span) && depth > 0;
  return (
    <div
      id={`span-${span.id}`}
      role="treeitem"
      aria-level={depth + 1}
      aria-selected={chosen}
      aria-expanded={node.children.length ? open : undefined}
      aria-label={`${kind.word} ${span.message}, ${told}${span.is_error ? ", failed" : ""}`}
      onClick={() => choose(span)}
      onDoubleClick={() => child && openRun(span.run_id)}
      className={`${COLUMNS} h-7 cursor-default items-center px-3 ${chosen ? "bg-accent-soft" : "hover:bg-raised"}`}
    >
      <span className="flex min-w-0 items-center gap-1.5" style={{ paddingLeft: depth * 14 }}>
        {node.children.length ? (
          <button type="button" tabIndex={-1} aria-label={open ? "Close" : "Open"} className="-mx-1 grid size-5 place-items-center text-dim hover:text-ink" onClick={(event) => { event.stopPropagation(); toggle(span.id); }}>
            <Icon name="caret" className={`size-3! ${open ? "rotate-90" : ""}`} />
          </button>
        ) : (
          <span className="w-3" />
        )}
        {isRun(span) && span.status ? <StatusIcon status={span.status} /> : <Mark span={span} />}
        <span className={`truncate ${isRun(span) ? "font-medium" : ""} ${span.is_error ? "text-bad" : ""}`}>{span.message}</span>
        {!isRun(span) && span.kind !== "attempt" && <span className="truncate text-xs text-dim max-md:hidden">{kind.word}</span>}
      </span>
      <span className="relative h-full">
        <span className={`absolute top-2.5 h-2 min-w-[3px] rounded-full ${color} ${span.ended_at === null ? "opacity-80" : ""}`} style={{ left: `${left}%`, width: `${Math.max(0, Math.min(width, 100 - left))}%` }} />
        {span.events.slice(0, 200).map((event, index) => (
          <span
            key={index}
            title={`${event.level}: ${event.message}`}
            className={`absolute top-1.5 h-4 w-px ${/error|fatal/i.test(event.level) ? "bg-bad" : "bg-ink/45"}`}
            style={{ left: `${((event.at - axis.from) / length) * 100}%` }}
          />
        ))}
      </span>
      <span className={`num truncate pl-2 text-right text-xs ${span.ended_at === null ? "text-busy" : "text-dim"}`}>
        {span.ended_at === null ? duration(axis.to - span.started_at) : told}
      </span>
    </div>
  );
}

function Mark({ span }: { span: Span }) {
  const { bar } = kindOf(span);
  return <span className={`size-2 shrink-0 ${span.kind === "attempt" ? "rounded-full" : "rounded-[2px]"} ${span.is_error ? "bg-bad" : bar}`} aria-hidden="true" />;
}
