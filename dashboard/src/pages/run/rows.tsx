/* The rows of the waterfall: only those that are seen are there, each of few parts, as others come with every frame. */

import { type Range, useVirtualizer } from "@tanstack/react-virtual";
import { memo, type RefObject, useEffect, useRef } from "react";
import type { Span } from "../../api/types.ts";
import { Icon } from "../../ui/icons.tsx";
import { StatusIcon, statusBar } from "../../ui/status.tsx";
import { duration } from "../../ui/time.tsx";
import { type Axis, isOpen, isRun, kindOf, type Node } from "./tree.ts";

const ROW = 28;
/** Rows that are there before and after those that are seen, at least. */
const BEYOND = 4;
const GROUP = 8;
/** Pixels that a row without children has in the place of the caret. */
const CARET = 18;
export const COLUMNS = "grid grid-cols-[minmax(9rem,40%)_1fr_4.75rem] md:grid-cols-[minmax(13rem,38%)_1fr_4.5rem]";

/** Whole groups of rows, so that not every frame of a scroll brings others. */
function grouped({ startIndex, endIndex, overscan, count }: Range): number[] {
  const from = Math.max(0, Math.floor((startIndex - overscan) / GROUP) * GROUP);
  const to = Math.min(count, Math.ceil((endIndex + 1 + overscan) / GROUP) * GROUP);
  return Array.from({ length: to - from }, (_, index) => from + index);
}

interface Shared {
  axis: Axis;
  /** Where what goes on has come to. */
  until: number;
  toggle: (id: string) => void;
  choose: (span: Span) => void;
  openRun: (id: string) => void;
}

interface Props extends Shared {
  scroller: RefObject<HTMLDivElement | null>;
  rows: Node[];
  toggled: ReadonlySet<string>;
  chosen: string;
  /** Which row is the chosen one, or the first. */
  place: number;
}

/** Apart from what is around them, which stays as it is while they are scrolled. Their ground is opaque:
 * else what is scrolled is painted anew with every frame. */
export const Rows = memo(function Rows({ scroller, rows, toggled, chosen, place, ...shared }: Props) {
  const list = useVirtualizer({ count: rows.length, getScrollElement: () => scroller.current, estimateSize: () => ROW, overscan: BEYOND, rangeExtractor: grouped });
  const held = useRef(place);
  held.current = place;
  useEffect(() => {
    list.scrollToIndex(held.current);
  }, [list, chosen]); // not when rows come and go above it
  const items = list.getVirtualItems();
  return (
    <div ref={scroller} role="tree" aria-label="What happened" aria-activedescendant={chosen ? `span-${chosen}` : undefined} tabIndex={0} className="min-h-0 flex-1 overflow-y-auto bg-bg pb-4 [--indent:8px] md:[--indent:14px]">
      <div style={{ height: list.getTotalSize(), paddingTop: items[0]?.start ?? 0 }}>
        {items.map((item) => {
          const node = rows[item.index];
          return node && <Row key={node.span.id} node={node} open={isOpen(node, toggled)} chosen={node.span.id === (chosen || rows[0]?.span.id)} {...shared} />;
        })}
      </div>
    </div>
  );
});

interface RowProps extends Shared {
  node: Node;
  open: boolean;
  chosen: boolean;
}

const Row = memo(function Row({ node, open, axis, until, chosen, toggle, choose, openRun }: RowProps) {
  const { span, depth } = node;
  const length = axis.to - axis.from;
  const end = span.ended_at ?? until;
  const place = (at: number) => Math.min(100, Math.max(0, ((at - axis.from) / length) * 100));
  const left = place(span.started_at);
  const away = span.started_at > axis.to || end < axis.from;
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
      className={`${COLUMNS} h-7 cursor-default items-center px-3 [contain:size_layout_style] ${chosen ? "bg-accent-soft" : "hover:bg-raised"}`}
    >
      <span className="flex min-w-0 items-center gap-1.5" style={{ paddingLeft: `calc(${depth} * var(--indent) + ${node.children.length > 0 ? 0 : CARET}px)` }}>
        {node.children.length > 0 && (
          <button type="button" tabIndex={-1} aria-label={open ? "Close" : "Open"} className="-mx-1 grid size-5 place-items-center text-dim hover:text-ink" onClick={(event) => { event.stopPropagation(); toggle(span.id); }}>
            <Icon name="caret" className={`size-3! ${open ? "rotate-90" : ""}`} />
          </button>
        )}
        {isRun(span) && span.status ? <StatusIcon status={span.status} /> : <Mark span={span} />}
        <span className={`truncate ${isRun(span) ? "font-medium" : ""} ${span.is_error ? "text-bad" : ""}`}>
          {span.message}
          {!isRun(span) && span.kind !== "attempt" && <span className="ml-1.5 text-xs text-dim max-md:hidden">{kind.word}</span>}
        </span>
      </span>
      <span className="relative h-full" data-axis>
        {!away && <span className={`absolute top-2.5 h-2 min-w-[3px] rounded-full ${color} ${span.ended_at === null ? "opacity-80" : ""}`} style={{ left: `min(${left}%, 100% - 3px)`, width: `${place(end) - left}%` }} />}
        {span.events.slice(0, 200).map(
          (event, index) =>
            event.at >= axis.from &&
            event.at <= axis.to && <span key={index} title={`${event.level}: ${event.message}`} className={`absolute top-1.5 h-4 w-px ${/error|fatal/i.test(event.level) ? "bg-bad" : "bg-ink/45"}`} style={{ left: `${place(event.at)}%` }} />,
        )}
      </span>
      <span className={`num pl-2 whitespace-nowrap text-right text-xs ${span.ended_at === null ? "text-busy" : "text-dim"}`}>
        {span.ended_at === null ? duration(until - span.started_at) : told}
      </span>
    </div>
  );
});

function Mark({ span }: { span: Span }) {
  const { bar } = kindOf(span);
  return <span className={`size-2 shrink-0 ${span.kind === "attempt" ? "rounded-full" : "rounded-[2px]"} ${span.is_error ? "bg-bad" : bar}`} aria-hidden="true" />;
}
