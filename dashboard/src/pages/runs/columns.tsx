/* The columns of the list: which there are, and which of them stand in the address. */

import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { Run } from "../../api/types.ts";
import { Button, Menu, MenuItem } from "../../ui/controls.tsx";
import { Ago, duration, Lasting } from "../../ui/time.tsx";
import { type Search, span } from "./filter.ts";

export interface Column {
  id: string;
  word: string;
  /** Its part of the grid; `least` of it are needed, in rem. */
  width: string;
  least: number;
  cell: (run: Run) => ReactNode;
  right?: boolean;
}

const small = (text: string | null) => <span className="block truncate font-mono text-xs text-dim">{text}</span>;

/** After status and task, which are always there. */
const COLUMNS: Column[] = [
  { id: "run", word: "Run", width: "14.5rem", least: 14.5, cell: (run) => small(run.id) },
  { id: "tags", word: "Tags", width: "minmax(6rem,1fr)", least: 6, cell: (run) => <Tags tags={run.tags} /> },
  { id: "queue", word: "Queue", width: "minmax(6rem,1fr)", least: 6, cell: (run) => <span className="block truncate text-dim">{run.queue}</span> },
  { id: "key", word: "Key", width: "minmax(5rem,0.7fr)", least: 5, cell: (run) => small(run.concurrency_key) },
  { id: "version", word: "Version", width: "8rem", least: 8, cell: (run) => small(run.version) },
  { id: "source", word: "Came from", width: "minmax(6rem,0.8fr)", least: 6, cell: (run) => <Source run={run} /> },
  { id: "tries", word: "Tries", width: "3.5rem", least: 3.5, cell: (run) => <span className="num text-dim">{run.attempt > 1 ? run.attempt : ""}</span> },
  { id: "started", word: "Started", width: "5.5rem", least: 5.5, right: true, cell: (run) => <span className="text-dim">{run.started_at !== null && <Ago at={run.started_at} />}</span> },
  { id: "active", word: "Active", width: "5.5rem", least: 5.5, right: true, cell: (run) => <span className="num text-dim">{run.active_ms > 0 && duration(run.active_ms)}</span> },
  { id: "duration", word: "Duration", width: "5.5rem", least: 5.5, right: true, cell: (run) => <Took run={run} /> },
  { id: "created", word: "Created", width: "5.5rem", least: 5.5, right: true, cell: (run) => <span className="text-dim"><Ago at={run.created_at} /></span> },
];
const USUAL = "run,tags,tries,duration,created";

/** What the address says of columns; without words the usual ones. */
export function columnsOf(text: string | undefined): Column[] {
  const wanted = new Set((text ?? USUAL).split(","));
  return COLUMNS.filter((column) => wanted.has(column.id));
}

export function ColumnMenu({ search, change }: { search: Search; change: (next: Search) => void }) {
  const shown = columnsOf(search.columns).map((column) => column.id);
  const toggle = (id: string) => {
    const next = COLUMNS.map((one) => one.id).filter((one) => shown.includes(one) !== (one === id)).join(",");
    change({ ...search, columns: next === USUAL ? undefined : next || "none" });
  };
  return (
    <div className="max-md:hidden">
      <Menu label="Columns" icon="columns">
        {(close) => (
          <>
            {COLUMNS.map((column) => (
              <MenuItem key={column.id} checked={shown.includes(column.id)} onClick={() => toggle(column.id)}>{column.word}</MenuItem>
            ))}
            {search.columns && (
              <div className="border-t border-line pt-1">
                <Button kind="ghost" onClick={() => { close(); change({ ...search, columns: undefined }); }}>The usual ones</Button>
              </div>
            )}
          </>
        )}
      </Menu>
    </div>
  );
}

function Tags({ tags }: { tags: string[] }) {
  return (
    <span className="flex min-w-0 gap-1 overflow-hidden">
      {tags.map((tag) => (
        <span key={tag} className="rounded bg-raised px-1.5 py-0.5 text-xs whitespace-nowrap text-dim">{tag}</span>
      ))}
    </span>
  );
}

/** What made the run; nothing where somebody triggered it. */
function Source({ run }: { run: Run }) {
  const parent = run.parent_id ?? run.replay_of;
  const word = run.schedule_id ? "a schedule" : run.replay_of ? "a replay" : run.parent_id ? "a run" : run.batch_id ? "a batch" : "";
  if (!parent || run.schedule_id) return <span className="block truncate text-dim">{word}</span>;
  return <Link to="/runs/$run" params={{ run: parent }} preload={false} className="relative z-10 block truncate text-dim hover:text-ink hover:underline">{word}</Link>;
}

function Took({ run }: { run: Run }) {
  const [from, to] = span(run);
  return <span className="text-dim">{run.started_at !== null && <Lasting from={from} to={to} />}</span>;
}
