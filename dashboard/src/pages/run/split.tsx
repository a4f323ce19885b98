/* Two panes side by side with a bar to drag between them; one under the other where it is narrow. */

import { type ReactNode, useRef, useState } from "react";

const KEPT = "mainspring-split";
const LEAST = 25;
const MOST = 75;
const bounded = (share: number) => Math.min(MOST, Math.max(LEAST, share));

export function Split({ left, right }: { left: ReactNode; right: ReactNode }) {
  const [share, setShare] = useState(() => bounded(Number(localStorage.getItem(KEPT)) || 60));
  const place = useRef<HTMLDivElement>(null);
  const keep = (next: number) => {
    setShare(bounded(next));
    localStorage.setItem(KEPT, String(bounded(next)));
  };
  return (
    <div ref={place} className="flex min-h-0 flex-1 flex-col md:flex-row">
      <div className="flex min-h-72 min-w-0 flex-col md:min-h-0 md:basis-(--share)" style={{ "--share": `${share}%` } as React.CSSProperties}>
        {left}
      </div>
      <div
        role="separator"
        aria-orientation="vertical"
        aria-label="Width of the waterfall"
        aria-valuenow={Math.round(share)}
        aria-valuemin={LEAST}
        aria-valuemax={MOST}
        tabIndex={0}
        className="w-1 shrink-0 cursor-col-resize bg-line hover:bg-accent max-md:hidden"
        onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
        onPointerMove={(event) => {
          const box = place.current?.getBoundingClientRect();
          if (box && event.currentTarget.hasPointerCapture(event.pointerId)) keep(((event.clientX - box.left) / box.width) * 100);
        }}
        onKeyDown={(event) => {
          const step = { ArrowLeft: -2, ArrowRight: 2 }[event.key];
          if (!step) return;
          event.preventDefault();
          event.stopPropagation();
          keep(share + step);
        }}
      />
      <div className="flex min-h-96 min-w-0 flex-1 flex-col border-t border-line md:min-h-0 md:border-t-0">{right}</div>
    </div>
  );
}
