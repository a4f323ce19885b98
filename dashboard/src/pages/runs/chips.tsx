/* The filter as chips, and the menu that adds one. */

import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { call, chosenEnvironment } from "../../api/call.ts";
import { STATUSES, type Queue, type Task } from "../../api/types.ts";
import { Button, Menu, MenuItem } from "../../ui/controls.tsx";
import { Icon } from "../../ui/icons.tsx";
import { StatusBadge, statusWord } from "../../ui/status.tsx";
import { ColumnMenu } from "./columns.tsx";
import { type Field, FIELD_WORDS, FIELDS, isFiltered, PERIODS, type Search, toggled } from "./filter.ts";
import { Views } from "./views.tsx";

interface Props {
  search: Search;
  change: (next: Search) => void;
  open: boolean;
  onOpen: (open: boolean) => void;
}

export function Chips({ search, change, open, onOpen }: Props) {
  return (
    <div className="flex flex-wrap items-center gap-1.5">
      {FIELDS.filter((field) => search[field]).map((field) => (
        <span key={field} className="inline-flex h-8 max-w-full items-center gap-1 rounded-md bg-accent-soft pl-2.5 text-accent">
          <span className="min-w-0 truncate">
            {FIELD_WORDS[field]}: <b className="font-medium">{shown(field, search[field] ?? "")}</b>
          </span>
          <button type="button" aria-label={`Remove the filter ${FIELD_WORDS[field]}`} className="grid size-7 place-items-center" onClick={() => change({ ...search, [field]: undefined })}>
            <Icon name="close" className="size-3.5!" />
          </button>
        </span>
      ))}
      <FilterMenu search={search} change={change} open={open} onOpen={onOpen} />
      <Views search={search} change={change} />
      <ColumnMenu search={search} change={change} />
      {isFiltered(search) && (
        <Button kind="ghost" onClick={() => change({ columns: search.columns })}>
          Clear
        </Button>
      )}
    </div>
  );
}

function shown(field: Field, text: string): string {
  const values = text.split(",");
  if (field === "status") return STATUSES.filter((one) => values.includes(one)).map(statusWord).join(", ");
  return values.join(", ");
}

function FilterMenu({ search, change, open, onOpen }: Props) {
  const [field, setField] = useState<Field | null>(null);
  return (
    <Menu
      label="Filter"
      icon="plus"
      open={open}
      onOpen={(wanted) => {
        setField(null);
        onOpen(wanted);
      }}
    >
      {(close) =>
        field === null ? (
          FIELDS.map((one) => (
            <MenuItem key={one} onClick={() => setField(one)}>
              {FIELD_WORDS[one]}
              <Icon name="caret" className="ml-auto text-dim" />
            </MenuItem>
          ))
        ) : (
          <Values field={field} search={search} change={change} close={close} />
        )
      }
    </Menu>
  );
}

function Values({ field, search, change, close }: { field: Field; search: Search; change: (next: Search) => void; close: () => void }) {
  const held = (search[field] ?? "").split(",");
  const pick = (value: string) => (
    <MenuItem key={value} checked={held.includes(value)} onClick={() => change(toggled(search, field, value))}>
      <span className="max-w-72 truncate font-mono text-[13px]">{value}</span>
    </MenuItem>
  );
  const one = (value: string, word: string) => (
    <MenuItem key={value} checked={search[field] === value} onClick={() => { change({ ...search, [field]: value }); close(); }}>
      {word}
    </MenuItem>
  );
  switch (field) {
    case "status":
      return STATUSES.map((status) => (
        <MenuItem key={status} checked={held.includes(status)} onClick={() => change(toggled(search, "status", status))}>
          <StatusBadge status={status} />
        </MenuItem>
      ));
    case "test":
      return [one("yes", "only test runs"), one("no", "no test runs")];
    case "period":
      return PERIODS.map(([word]) => one(word, word));
    case "task":
      return <Known pick={pick} ask={() => call<{ tasks: Task[] }>("tasks").then((found) => found.tasks.map((task) => task.id))} name="tasks" />;
    case "queue":
      return <Known pick={pick} ask={() => call<{ queues: Queue[] }>("queues").then((found) => found.queues.map((queue) => queue.name))} name="queues" />;
    default:
      return <Typed field={field} add={(value) => { change(toggled(search, field, value)); close(); }} />;
  }
}

function Known({ pick, ask, name }: { pick: (value: string) => React.ReactNode; ask: () => Promise<string[]>; name: string }) {
  const found = useQuery({ queryKey: ["known", name, chosenEnvironment()], queryFn: ask });
  if (found.isPending) return <p className="px-2.5 py-1.5 text-dim">Loading…</p>;
  return found.data?.length ? found.data.map(pick) : <p className="px-2.5 py-1.5 text-dim">None is known yet.</p>;
}

function Typed({ field, add }: { field: Field; add: (value: string) => void }) {
  const [text, setText] = useState("");
  return (
    <form
      className="flex gap-1.5 p-1"
      onSubmit={(event) => {
        event.preventDefault();
        if (text.trim()) add(text.trim());
      }}
    >
      <input autoFocus aria-label={FIELD_WORDS[field]} placeholder={FIELD_WORDS[field]} className="field" value={text} onChange={(event) => setText(event.target.value)} />
      <Button type="submit">Add</Button>
    </form>
  );
}
