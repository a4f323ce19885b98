/* The part of a waterfall's time that is looked at: its arithmetic, and how it stands in the address. */

import { useEffect, useRef, useState } from "react";
import type { Axis } from "./tree.ts";

/** From where to where, in ms since the beginning. */
export interface Part {
  from: number;
  to: number;
}

const LEAST_MS = 1;
const PAUSE_MS = 250;

const read = (text: string | undefined): Part | null => {
  const [from, to] = (text ?? "").split("-").map(Number);
  return from !== undefined && to !== undefined && from >= 0 && to - from >= LEAST_MS ? { from, to } : null;
};
const write = (part: Part | null): string | undefined => part ? `${Math.round(part.from)}-${Math.round(part.to)}` : undefined;

/** Moved and shrunk until it lies within the whole; null when it is the whole. */
export function within({ from, to }: Part, whole: number): Part | null {
  const length = Math.max(LEAST_MS, to - from);
  if (length >= whole) return null;
  const begin = Math.min(Math.max(0, from), whole - length);
  return { from: begin, to: begin + length };
}

/** `factor` times as long, with the moment `at` (0 … 1 of what is seen) in its place. */
export function scaled(part: Part | null, whole: number, factor: number, at = 0.5): Part | null {
  const { from, to } = part ?? { from: 0, to: whole };
  const length = Math.max(LEAST_MS, (to - from) * factor);
  const fixed = from + (to - from) * at;
  return within({ from: fixed - length * at, to: fixed + length * (1 - at) }, whole);
}

/** Moved by a share of its length. */
export function moved(part: Part | null, whole: number, share: number): Part | null {
  if (!part) return null;
  const by = (part.to - part.from) * share;
  return within({ from: part.from + by, to: part.to + by }, whole);
}

export const seen = (axis: Axis, part: Part | null): Axis => (part ? { from: axis.from + part.from, to: axis.from + part.to } : axis);

/** What is looked at, at once for the eye and a moment later in the address. */
export function usePart(kept: string | undefined, keep: (text: string | undefined) => void): [Part | null, (next: Part | null) => void] {
  const [part, setPart] = useState(() => read(kept));
  const said = useRef(kept);
  const tell = useRef(keep);
  tell.current = keep;
  useEffect(() => {
    if (kept === said.current) return;
    said.current = kept;
    setPart(read(kept));
  }, [kept]);
  useEffect(() => {
    if (write(part) === said.current) return;
    const id = setTimeout(() => {
      said.current = write(part);
      tell.current(said.current);
    }, PAUSE_MS);
    return () => clearTimeout(id);
  }, [part]);
  return [part, setPart];
}
