/* Day one: three steps, which are ticked off as they happen. */

import { useQuery } from "@tanstack/react-query";
import { call, chosenEnvironment } from "../../api/call.ts";
import type { Task } from "../../api/types.ts";
import { Icon } from "../../ui/icons.tsx";
import { Command } from "../../ui/say.tsx";

export function StartCard() {
  const found = useQuery({
    queryKey: ["tasks", chosenEnvironment()],
    queryFn: () => call<{ tasks: Task[] }>("tasks"),
    refetchInterval: 2_000,
  });
  const tasks = found.data?.tasks ?? [];
  const working = tasks.some((task) => task.workers > 0);
  const first = tasks[0]?.id ?? "hello";
  return (
    <section aria-label="First steps" className="mx-auto w-full max-w-xl px-4 py-10">
      <h2 className="text-lg font-semibold">Three steps to the first run</h2>
      <ol className="mt-4 space-y-3">
        <Step done={tasks.length > 0} number={1} title="Write a task">
          <p className="mb-2 text-dim">A function with a decorator, in any file of your folder. This makes one:</p>
          <Command>mainspring init</Command>
        </Step>
        <Step done={working} number={2} title="Let a worker run it">
          <p className="mb-2 text-dim">While you write, everything in one process; in production a worker beside the server:</p>
          <Command>mainspring dev</Command>
        </Step>
        <Step done={false} number={3} title="Trigger it">
          <p className="mb-2 text-dim">The run appears here as soon as it exists.</p>
          <Command>{`mainspring tasks trigger ${first} --wait`}</Command>
        </Step>
      </ol>
    </section>
  );
}

function Step({ done, number, title, children }: { done: boolean; number: number; title: string; children: React.ReactNode }) {
  return (
    <li className={`flex gap-3 rounded-xl border p-4 ${done ? "border-accent bg-accent-soft" : "border-line bg-panel"}`}>
      <span className={`grid size-7 shrink-0 place-items-center rounded-full font-semibold ${done ? "bg-accent text-on-accent" : "bg-raised text-dim"}`}>
        {done ? <Icon name="check" /> : number}
        <span className="sr-only">{done ? "done" : ""}</span>
      </span>
      <div className="min-w-0 flex-1">
        <h3 className="mb-1 font-semibold">{title}</h3>
        {children}
      </div>
    </li>
  );
}
