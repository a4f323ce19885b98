/* The axis of a waterfall: its moments, buttons that zoom, and a brush that chooses a part of it. */

import { type ReactNode, useState } from "react";
import { Button } from "../../ui/controls.tsx";
import { duration } from "../../ui/time.tsx";
import type { Axis } from "./tree.ts";

interface Props {
  axis: Axis;
  whole: Axis;
  columns: string;
  zoom: (factor: number) => void;
  show: (from: number, to: number) => void;
  reset: () => void;
}

/** Less of a drag is a click. */
const LEAST_PX = 4;

export function Scale({ axis, whole, columns, zoom, show, reset }: Props) {
  const [brush, setBrush] = useState<[number, number] | null>(null);
  const length = axis.to - axis.from;
  const zoomed = length < whole.to - whole.from;
  const mark = (share: number) => duration(axis.from - whole.from + length * share);
  const share = (event: React.PointerEvent) => {
    const box = event.currentTarget.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  };
  const end = (event: React.PointerEvent) => {
    if (brush && Math.abs(brush[1] - brush[0]) * event.currentTarget.clientWidth >= LEAST_PX) {
      const [from, to] = brush.toSorted((a, b) => a - b) as [number, number];
      show(axis.from + length * from, axis.from + length * to);
    }
    setBrush(null);
  };
  return (
    <div className={`${columns} h-8 items-center border-b border-line px-3 text-xs text-dim`}>
      <span role="group" aria-label="Zoom" className="-ml-1.5 flex items-center">
        <Tool icon="minus" label="Zoom out (-)" disabled={!zoomed} act={() => zoom(2)} />
        <Tool icon="plus" label="Zoom in (+)" act={() => zoom(0.5)} />
        {zoomed && <Button kind="ghost" className="h-6! px-1.5! text-xs" onClick={reset}>The whole</Button>}
      </span>
      <span
        title="Drag to look at a part"
        className="num relative flex h-full cursor-col-resize touch-none items-center justify-between select-none"
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          setBrush([share(event), share(event)]);
        }}
        onPointerMove={(event) => brush && setBrush([brush[0], share(event)])}
        onPointerUp={end}
        onPointerCancel={() => setBrush(null)}
        onDoubleClick={reset}
      >
        {zoomed && <Overview axis={axis} whole={whole} />}
        <Mark>{zoomed ? mark(0) : "0"}</Mark>
        <Mark wide>{mark(0.5)}</Mark>
        <Mark>{mark(1)}</Mark>
        {brush && <span className="absolute inset-y-0.5 rounded-sm border border-accent bg-accent/20" style={{ left: `${Math.min(...brush) * 100}%`, width: `${Math.abs(brush[1] - brush[0]) * 100}%` }} />}
      </span>
      <span />
    </div>
  );
}

const Mark = ({ wide = false, children }: { wide?: boolean; children: ReactNode }) => <span className={wide ? "max-md:hidden" : ""}>{children}</span>;

function Tool({ icon, label, act, disabled = false }: { icon: "plus" | "minus"; label: string; act: () => void; disabled?: boolean }) {
  return <Button kind="ghost" icon={icon} label={label} disabled={disabled} className="size-6!" onClick={act} />;
}

/** Where the part lies in the whole. */
function Overview({ axis, whole }: { axis: Axis; whole: Axis }) {
  const length = whole.to - whole.from;
  return (
    <span className="absolute inset-x-0 bottom-0 h-[3px] rounded-full bg-raised" aria-hidden="true">
      <span className="absolute h-full min-w-1 rounded-full bg-accent" style={{ left: `${((axis.from - whole.from) / length) * 100}%`, width: `${((axis.to - axis.from) / length) * 100}%` }} />
    </span>
  );
}
