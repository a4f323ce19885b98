/* What is said to people beside the page: notices that go by, empty places, failures. */

import { type ReactNode, useSyncExternalStore } from "react";
import { Button, CopyButton } from "./controls.tsx";

interface Notice {
  id: number;
  text: ReactNode;
  bad: boolean;
}

let notices: Notice[] = [];
let next = 1;
const watchers = new Set<() => void>();

function set(changed: Notice[]): void {
  notices = changed;
  for (const told of watchers) told();
}

const drop = (id: number) => set(notices.filter((one) => one.id !== id));
const dropLater = (id: number, bad = false) => setTimeout(() => drop(id), bad ? 9000 : 5000);

/** Shows a notice for some seconds. */
export function say(text: ReactNode, bad = false): void {
  const id = next++;
  set([...notices.slice(-3), { id, text, bad }]);
  dropLater(id, bad);
}

/** Shows a notice of what goes on; the seconds begin when it calls `over`. */
export function sayUntil(text: (over: () => void) => ReactNode): void {
  const id = next++;
  set([...notices.slice(-3), { id, text: text(() => void dropLater(id)), bad: false }]);
}

export const sayFailure = (error: unknown) => say(error instanceof Error ? error.message : String(error), true);

export function Notices() {
  const shown = useSyncExternalStore(
    (told) => {
      watchers.add(told);
      return () => watchers.delete(told);
    },
    () => notices,
  );
  return (
    <div aria-live="polite" className="pointer-events-none fixed right-4 bottom-4 left-4 z-50 flex flex-col items-end gap-2">
      {shown.map((one) => (
        <div
          key={one.id}
          className={`pointer-events-auto flex max-w-md items-start gap-3 rounded-lg border px-3.5 py-2.5 shadow-lg ${one.bad ? "border-bad bg-bad-soft" : "border-line bg-panel"}`}
        >
          <div className="min-w-0 break-words">{one.text}</div>
          <Button kind="ghost" icon="close" label="Dismiss" className="-my-1 -mr-2 size-7!" onClick={() => drop(one.id)} />
        </div>
      ))}
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="mx-auto flex w-full max-w-xl flex-col items-center gap-2 px-6 py-16 text-center">
      <h2 className="text-base font-semibold">{title}</h2>
      <div className="w-full min-w-0 text-dim">{children}</div>
    </div>
  );
}

export function Failure({ error, retry }: { error: unknown; retry?: () => void }) {
  return (
    <div role="alert" className="m-4 flex flex-wrap items-center gap-3 rounded-lg border border-bad bg-bad-soft px-4 py-3">
      <span className="min-w-0 flex-1 break-words"><Told>{error instanceof Error ? error.message : String(error)}</Told></span>
      {retry && <Button onClick={retry}>Try again</Button>}
    </div>
  );
}

/** A sentence of the server, in which `code` is marked as in Markdown. */
export function Told({ children }: { children: string }) {
  return children.split("`").map((part, index) => (index % 2 ? <code key={index} className="rounded bg-bg px-1 font-mono text-[12.5px]">{part}</code> : part));
}

/** A line to copy into a shell or a program. */
export function Command({ children }: { children: string }) {
  return (
    <div className="flex items-center gap-1 rounded-md border border-line bg-bg py-0.5 pr-0.5 pl-3 text-left">
      <code tabIndex={0} className="min-w-0 flex-1 overflow-x-auto font-mono text-[13px] whitespace-pre">{children}</code>
      <CopyButton text={children} />
    </div>
  );
}

export function Loading() {
  return (
    <div className="p-6 text-dim" role="status">
      Loading…
    </div>
  );
}
