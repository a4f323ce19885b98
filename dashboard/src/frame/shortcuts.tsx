/* Keys that do something, and the sheet that lists them. */

import { useEffect, useRef } from "react";
import { Dialog } from "../ui/controls.tsx";

export type Keys = Record<string, (event: KeyboardEvent) => void>;

const TYPED = "input:not([type=checkbox]), textarea, select, dialog, [contenteditable]";
const PRESSED = "a[href], button, summary, input[type=checkbox]";

/** Whether the key is for what has the focus. A dialog that has closed keeps the focus until the next
 * frame is drawn: keys that come that soon are for the page again. */
function isTaken(key: string, target: HTMLElement): boolean {
  if (target.closest("dialog:not([open])")) return false;
  return target.closest(TYPED) !== null || (key === "Enter" && target.closest(PRESSED) !== null);
}

/** Single keys, but not while somebody types or a dialog is open. Enter presses what has the focus. */
export function useKeys(keys: Keys): void {
  const held = useRef(keys);
  held.current = keys;
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      if (isTaken(event.key, event.target as HTMLElement)) return;
      const found = held.current[event.key];
      if (found === undefined) return;
      event.preventDefault();
      found(event);
    };
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, []);
}

const SHEET: [string, [string, string][]][] = [
  ["Everywhere", [["?", "this sheet"], ["1 … 9", "the pages of the rail"], ["/", "find a run by its id"]]],
  ["Runs", [["j  k", "down, up"], ["Enter", "open the run"], ["x", "select it"], ["r  c", "replay it, cancel it"], ["y", "copy its id"], ["f", "add a filter"], ["Esc", "clear the selection"]]],
  ["A run", [["↑ ↓", "through the waterfall"], ["← →", "close, open a branch"], ["e  w", "open all, close all"], ["+  -  0", "zoom in, out, to the whole"], ["z", "zoom to the chosen entry"], ["⇧ ← →", "earlier, later, when zoomed"], ["r", "replay"], ["c", "cancel"], ["p  t", "to the parent, to the root"]]],
];

export function ShortcutSheet({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keys" onClose={onClose}>
      {SHEET.map(([where, rows]) => (
        <section key={where} className="mb-4">
          <h3 className="mb-1 font-semibold">{where}</h3>
          <dl className="grid grid-cols-[6rem_1fr] gap-y-1">
            {rows.map(([key, what]) => (
              <div key={key} className="contents">
                <dt>
                  <kbd className="rounded border border-line bg-raised px-1.5 py-0.5 font-mono text-xs whitespace-pre">{key}</kbd>
                </dt>
                <dd className="text-dim">{what}</dd>
              </div>
            ))}
          </dl>
        </section>
      ))}
    </Dialog>
  );
}
