/* Charts over time: bars that stand on one another, and lines. Drawn by the browser, no library. */

import { useMemo, useState } from "react";
import { moment } from "./time.tsx";

export interface Track {
  name: string;
  /** A class that sets the text colour, which is what marks are drawn in. */
  color: string;
  values: Map<number, number>;
}
export interface Mark {
  at: number;
  text: string;
}

interface Props {
  label: string;
  kind: "bars" | "lines";
  tracks: Track[];
  since: number;
  until: number;
  step: number;
  show: (value: number) => string;
  marks?: Mark[];
  height?: number;
  /** Names are said beside the chart already. */
  named?: boolean;
  /** Called with the beginning and end of a step that was clicked. */
  pick?: (from: number, to: number) => void;
}

const WIDTH = 600;
export const COLORS = ["text-accent", "text-busy", "text-wait", "text-bad", "text-good", "text-off", "text-ink", "text-dim"];

export function Chart({ label, kind, tracks, since, until, step, show, marks = [], height = 120, named = false, pick }: Props) {
  const [over, setOver] = useState<number | null>(null);
  const { steps, most } = useMemo(() => measured(kind, tracks, since, until, step), [kind, tracks, since, until, step]);
  const first = steps[0] ?? since;
  const x = (at: number) => ((at - first) / (steps.length * step)) * WIDTH;
  const y = (value: number) => height - (value / most) * (height - 4);
  const wide = Math.max(1, x(first + step) - 1);
  const at = over === null ? null : (steps[over] ?? null);
  const move = (event: React.PointerEvent<SVGSVGElement>) => {
    const box = event.currentTarget.getBoundingClientRect();
    setOver(Math.floor(((event.clientX - box.left) / box.width) * steps.length));
  };
  return (
    <figure className="min-w-0">
      <div className="relative">
        <span className="num pointer-events-none absolute top-0 left-0 text-xs text-dim">{show(most)}</span>
        <svg
          viewBox={`0 0 ${WIDTH} ${height}`}
          preserveAspectRatio="none"
          role="img"
          aria-label={`${label}: ${tracks.map((track) => `${track.name} at most ${show(Math.max(0, ...track.values.values()))}`).join(", ") || "nothing"}`}
          className={`block w-full ${pick ? "cursor-pointer" : ""}`}
          style={{ height }}
          onPointerMove={move}
          onPointerLeave={() => setOver(null)}
          onClick={() => at !== null && pick?.(at, at + step)}
        >
          <line x1="0" x2={WIDTH} y1={height - 0.5} y2={height - 0.5} className="stroke-line" vectorEffect="non-scaling-stroke" />
          {at !== null && <rect x={x(at)} width={wide} y="0" height={height} className="fill-raised" />}
          {kind === "bars" ? steps.map((one) => <Stack key={one} at={one} tracks={tracks} x={x(one)} wide={wide} y={y} />) : tracks.map((track) => <Line key={track.name} track={track} steps={steps} x={x} wide={wide} y={y} />)}
          {marks.map((mark) => (
            <line key={mark.at} x1={x(mark.at)} x2={x(mark.at)} y1="0" y2={height} strokeDasharray="3 3" className="stroke-accent" vectorEffect="non-scaling-stroke"><title>{mark.text}</title></line>
          ))}
        </svg>
      </div>
      <figcaption className="num mt-1.5 flex min-h-5 flex-wrap gap-x-4 text-xs text-dim">
        {at !== null && <span>{moment(at)}</span>}
        {(!named || at !== null) && tracks.map((track) => (
          <span key={track.name} className="inline-flex min-w-0 items-center gap-1.5">
            <span className={`size-2 shrink-0 rounded-[2px] bg-current ${track.color}`} aria-hidden="true" />
            <span className="max-w-48 truncate">{track.name}</span>
            {at !== null && <b className="font-medium text-ink">{track.values.has(at) ? show(track.values.get(at) ?? 0) : "–"}</b>}
          </span>
        ))}
      </figcaption>
    </figure>
  );
}

/** The steps of the stretch, and what the axis ends at. */
function measured(kind: Props["kind"], tracks: Track[], since: number, until: number, step: number) {
  const first = Math.floor(since / step) * step;
  const steps = Array.from({ length: Math.max(1, Math.ceil((until - first) / step)) }, (_, index) => first + index * step);
  const sums = steps.map((at) => tracks.map((track) => track.values.get(at) ?? 0)).map((values) => (kind === "bars" ? values.reduce((sum, value) => sum + value, 0) : Math.max(0, ...values)));
  return { steps, most: Math.max(1e-9, ...sums) };
}

function Stack({ at, tracks, x, wide, y }: { at: number; tracks: Track[]; x: number; wide: number; y: (value: number) => number }) {
  let below = 0;
  return tracks.map((track) => {
    const value = track.values.get(at);
    if (!value) return null;
    const top = y(below + value);
    const rect = <rect key={track.name} x={x} width={wide} y={top} height={Math.max(1, y(below) - top)} className={`fill-current ${track.color}`} />;
    below += value;
    return rect;
  });
}

/** A line that is level within each step that has a value; it breaks where there is none. */
function Line({ track, steps, x, wide, y }: { track: Track; steps: number[]; x: (at: number) => number; wide: number; y: (value: number) => number }) {
  let path = "";
  let open = false;
  for (const at of steps) {
    const value = track.values.get(at);
    if (value !== undefined) path += `${open ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}h${wide.toFixed(1)}`;
    open = value !== undefined;
  }
  return <path d={path} fill="none" strokeWidth="1.6" strokeLinecap="round" strokeLinejoin="round" vectorEffect="non-scaling-stroke" className={`stroke-current ${track.color}`} />;
}

/** A line without axes, as small as a word. */
export function Spark({ values, color, label }: { values: number[]; color: string; label: string }) {
  const most = Math.max(1e-9, ...values);
  const step = 100 / Math.max(1, values.length - 1);
  const points = values.map((value, index) => `${(index * step).toFixed(1)},${(22 - (value / most) * 20).toFixed(1)}`);
  return (
    <svg viewBox="0 0 100 24" preserveAspectRatio="none" role="img" aria-label={label} className={`block h-6 w-full ${color}`}>
      <polygon points={`0,24 ${points.join(" ")} 100,24`} className="fill-current opacity-15" />
      <polyline points={points.join(" ")} fill="none" strokeWidth="1.5" vectorEffect="non-scaling-stroke" className="stroke-current" />
    </svg>
  );
}

/** Bars without axes and words. */
export function Bars({ label, tracks, since, until, step }: Pick<Props, "label" | "tracks" | "since" | "until" | "step">) {
  const { steps, most } = measured("bars", tracks, since, until, step);
  return (
    <svg viewBox={`0 0 ${steps.length * 4} 24`} preserveAspectRatio="none" role="img" aria-label={label} className="block h-6 w-32">
      {steps.map((at, index) => <Stack key={at} at={at} tracks={tracks} x={index * 4} wide={3} y={(value) => 24 - (value / most) * 22} />)}
    </svg>
  );
}
