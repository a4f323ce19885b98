/* The waterfall: what happened in the run and below it, on one axis of time. */

import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { type Span, type Trace } from "../../api/types.ts";
import { useKeys } from "../../frame/shortcuts.tsx";
import { useFrames } from "../../ui/time.tsx";
import { COLUMNS, Rows } from "./rows.tsx";
import { Scale } from "./scale.tsx";
import { allOf, axisOf, isGoingOn, isOpen, isRun, rowsOf, treeOf } from "./tree.ts";
import { moved, scaled, seen, usePart, within } from "./zoom.ts";

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

  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <Scale axis={axis} whole={whole} columns={COLUMNS} zoom={enlarge} show={lookAt} reset={() => setPart(null)} />
      <Rows scroller={scroller} rows={rows} toggled={toggled} axis={axis} until={whole.to} chosen={chosen} place={place} toggle={toggle} choose={pick} openRun={enter} />
      {trace.truncated && <p className="border-t border-line px-4 py-1.5 text-dim">There is more than can be shown here: at most 100 runs and 10,000 entries.</p>}
    </div>
  );
}
