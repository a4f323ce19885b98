/* The row that keys act on: a run, wherever in the list it comes to stand. */

import { useCallback, useRef, useState } from "react";
import type { Run } from "../../api/types.ts";

interface Cursor {
  current: Run | undefined;
  /** To the next run, or the one before. */
  move: (by: 1 | -1) => void;
  leave: () => void;
}

/** When its run leaves the list nothing is current, so that no key acts on a run that nobody chose; to
 * move goes on from the place where it was. */
export function useCursor(runs: Run[]): Cursor {
  const [id, setId] = useState<string | null>(null);
  const place = useRef(-1);
  const found = id === null ? -1 : runs.findIndex((run) => run.id === id);
  if (found >= 0) place.current = found;
  const leave = useCallback(() => {
    setId(null);
    place.current = -1;
  }, []);
  const move = (by: 1 | -1) => {
    const next = found < 0 && by > 0 && place.current >= 0 ? place.current : place.current + by;
    setId(runs[Math.max(0, Math.min(runs.length - 1, next))]?.id ?? null);
  };
  return { current: runs[found], move, leave };
}
