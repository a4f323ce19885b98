/* The waterfall: what happened in the run and below it, on one axis of time. */

import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { type Span, type Trace } from "../../api/types.ts";
import { useKeys } from "../../frame/shortcuts.tsx";
import { Icon } from "../../ui/icons.tsx";
import { StatusIcon, statusBar } from "../../ui/status.tsx";
import { duration, useFrames } from "../../ui/time.tsx";
import { Scale } from "./scale.tsx";
import { allOf, type Axis, axisOf, isGoingOn, isOpen, isRun, kindOf, type Node, rowsOf, treeOf } from "./tree.ts";
import { moved, scaled, seen, usePart, within } from "./zoom.ts";

const ROW = 28;
/** Rows that are there before and after those that are seen. */
const BEYOND = 8;

interface Props {
  trace: Trace;
  chosen: string;
  choose: (span: Span) => void;
  openRun: (id: string) => void;
  /** The part of its time that is looked at, as it stands in the address. */
  zoom: string | undefined;
  onZoom: (zoom: string | undefined) => void;
}

const STEP = 0.2;

export function Waterfall({ trace, chosen, choose, openRun, zoom, onZoom }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const [now, setNow] = useState(Date.now);
  useFrames(isGoingOn(trace), useCallback(() => setNow(Date.now()), []));
  const root = useMemo(() => treeOf(trace), [trace]);
  const [toggled, setToggled] = useState<ReadonlySet<string>>(new Set());
  const rows = useMemo(() => (root ? rowsOf(root, toggled) : []), [root, toggled]);
  const whole = useMemo(() => axisOf(trace, now), [trace, now]);
  const [part, setPart] = usePart(zoom, onZoom);
  const axis = useMemo(() => seen(whole, part), [whole, part]);
  const length = whole.to - whole.from;
  const enlarge = (factor: number, at?: number) => setPart(scaled(part, length, factor, at));
  const lookAt = (from: number, to: number) => setPart(within({ from: from - whole.from, to: to - whole.from }, length));
  const wheel = useRef((_event: WheelEvent) => {});
  wheel.current = (event) => {
    const box = scroller.current?.querySelector("[data-axis]")?.getBoundingClientRect();
    const sideways = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
    if (!box || !(event.ctrlKey || event.metaKey || (sideways && part))) return;
    event.preventDefault();
    if (event.ctrlKey || event.metaKey) enlarge(Math.exp(event.deltaY / 300), Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)));
    else setPart(moved(part, length, sideways / box.width));
  };
  useEffect(() => {
    const place = scroller.current;
    const turned = (event: WheelEvent) => wheel.current(event);
    place?.addEventListener("wheel", turned, { passive: false }); // React's own are passive
    return () => place?.removeEventListener("wheel", turned);
  }, []);
  const list = useVirtualizer({ count: rows.length, getScrollElement: () => scroller.current, estimateSize: () => ROW, overscan: BEYOND });
  const items = list.getVirtualItems();
  const place = Math.max(0, rows.findIndex((row) => row.span.id === chosen));

  const toggle = useCallback(
    (id: string) =>
      setToggled((held) => {
        const next = new Set(held);
        if (!next.delete(id)) next.add(id);
        return next;
      }),
    [],
  );
  const acts = useRef({ choose, openRun });
  acts.current = { choose, openRun };
  const pick = useCallback((span: Span) => acts.current.choose(span), []);
  const enter = useCallback((id: string) => acts.current.openRun(id), []);
  const move = (to: number) => {
    const node = rows[Math.max(0, Math.min(rows.length - 1, to))];
    if (node) choose(node.span);
  };
  const here = rows[place];
  useKeys({
    ArrowDown: () => move(place + 1),
    ArrowUp: () => move(place - 1),
    ArrowLeft: (event) => event.shiftKey ? setPart(moved(part, length, -STEP)) : here && (isOpen(here, toggled) ? toggle(here.span.id) : here.parent && choose(here.parent.span)),
    ArrowRight: (event) => event.shiftKey ? setPart(moved(part, length, STEP)) : here && here.children.length > 0 && !isOpen(here, toggled) && toggle(here.span.id),
    e: () => root && setToggled(allOf(root, true)),
    w: () => root && setToggled(allOf(root, false)),
    "+": () => enlarge(0.5),
    "=": () => enlarge(0.5),
    "-": () => enlarge(2),
    "0": () => setPart(null),
    z: () => here && lookAt(here.span.started_at, here.span.ended_at ?? whole.to),
    Enter: () => here && isRun(here.span) && place > 0 && openRun(here.span.run_id),
  });
  useEffect(() => {
    list.scrollToIndex(place);
  }, [list, place]);

  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <Scale axis={axis} whole={whole} columns={COLUMNS} zoom={enlarge} show={lookAt} reset={() => setPart(null)} />
      <div ref={scroller} role="tree" aria-label="What happened" aria-activedescendant={chosen ? `span-${chosen}` : undefined} tabIndex={0} className="min-h-0 flex-1 overflow-y-auto pb-4 [--indent:8px] md:[--indent:14px]">
        <div style={{ height: list.getTotalSize(), paddingTop: items[0]?.start ?? 0 }}>
          {items.map((item) => {
            const node = rows[item.index];
            return node && <Row key={node.span.id} node={node} open={isOpen(node, toggled)} axis={axis} until={whole.to} chosen={node.span.id === (chosen || rows[0]?.span.id)} toggle={toggle} choose={pick} openRun={enter} />;
          })}
        </div>
      </div>
      {trace.truncated && <p className="border-t border-line px-4 py-1.5 text-dim">There is more than can be shown here: at most 100 runs and 10,000 entries.</p>}
    </div>
  );
}

const COLUMNS = "grid grid-cols-[minmax(9rem,40%)_1fr_4.75rem] md:grid-cols-[minmax(13rem,38%)_1fr_4.5rem]";

interface RowProps {
  node: Node;
  open: boolean;
  axis: Axis;
  /** Where what goes on has come to. */
  until: number;
  chosen: boolean;
  toggle: (id: string) => void;
  choose: (span: Span) => void;
  openRun: (id: string) => void;
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
      className={`${COLUMNS} h-7 cursor-default items-center px-3 [contain:strict] ${chosen ? "bg-accent-soft" : "hover:bg-raised"}`}
    >
      <span className="flex min-w-0 items-center gap-1.5" style={{ paddingLeft: `calc(${depth} * var(--indent))` }}>
        {node.children.length ? (
          <button type="button" tabIndex={-1} aria-label={open ? "Close" : "Open"} className="-mx-1 grid size-5 place-items-center text-dim hover:text-ink" onClick={(event) => { event.stopPropagation(); toggle(span.id); }}>
            <Icon name="caret" className={`size-3! ${open ? "rotate-90" : ""}`} />
          </button>
        ) : (
          <span className="w-3" />
        )}
        {isRun(span) && span.status ? <StatusIcon status={span.status} /> : <Mark span={span} />}
        <span className={`truncate ${isRun(span) ? "font-medium" : ""} ${span.is_error ? "text-bad" : ""}`}>{span.message}</span>
        {!isRun(span) && span.kind !== "attempt" && <span className="min-w-0 shrink-[99] truncate text-xs text-dim max-md:hidden">{kind.word}</span>}
      </span>
      <span className="relative h-full overflow-hidden" data-axis>
        {!away && <span className={`absolute top-2.5 h-2 min-w-[3px] rounded-full ${color} ${span.ended_at === null ? "opacity-80" : ""}`} style={{ left: `min(${left}%, 100% - 3px)`, width: `${place(end) - left}%` }} />}
        {span.events.slice(0, 200).map(
          (event, index) =>
            event.at >= axis.from &&
            event.at <= axis.to && <span key={index} title={`${event.level}: ${event.message}`} className={`absolute top-1.5 h-4 w-px ${/error|fatal/i.test(event.level) ? "bg-bad" : "bg-ink/45"}`} style={{ left: `${place(event.at)}%` }} />,
        )}
      </span>
      <span className={`num truncate pl-2 text-right text-xs ${span.ended_at === null ? "text-busy" : "text-dim"}`}>
        {span.ended_at === null ? duration(until - span.started_at) : told}
      </span>
    </div>
  );
});

function Mark({ span }: { span: Span }) {
  const { bar } = kindOf(span);
  return <span className={`size-2 shrink-0 ${span.kind === "attempt" ? "rounded-full" : "rounded-[2px]"} ${span.is_error ? "bg-bad" : bar}`} aria-hidden="true" />;
}
