/* The filter of the list, which lives in the address. */

import { isFinal, type RunFilter, STATUSES, type Run, type Status } from "../../api/types.ts";

export type Search = Record<string, string | undefined>;

export const FIELDS = ["status", "task", "tag", "queue", "version", "error", "batch", "schedule", "bulk", "test", "period"] as const;
export type Field = (typeof FIELDS)[number];

export const FIELD_WORDS: Record<Field, string> = {
  status: "status",
  task: "task",
  tag: "tag",
  queue: "queue",
  version: "version",
  error: "error",
  batch: "batch",
  schedule: "schedule",
  bulk: "bulk action",
  test: "test runs",
  period: "created within",
};

export const PERIODS: [string, number][] = [
  ["15m", 15 * 60_000],
  ["1h", 3_600_000],
  ["6h", 6 * 3_600_000],
  ["1d", 86_400_000],
  ["7d", 7 * 86_400_000],
  ["30d", 30 * 86_400_000],
];

const list = (text: string | undefined) => (text ? text.split(",").filter(Boolean) : undefined);

/** What the server is asked for. Words that it does not know are left out. */
export function filterOf(search: Search, now: number): RunFilter {
  const filter: RunFilter = {};
  const status = list(search.status)?.filter((one): one is Status => (STATUSES as readonly string[]).includes(one));
  if (status?.length) filter.status = status;
  for (const name of ["task", "tag", "queue", "version", "error", "schedule", "bulk"] as const) {
    const values = list(search[name]);
    if (values) filter[name] = values;
  }
  if (search.batch) filter.batch_id = search.batch;
  if (search.test) filter.is_test = search.test === "yes";
  const period = PERIODS.find(([word]) => word === search.period);
  if (period) filter.created_from = now - period[1];
  return filter;
}

export const isFiltered = (search: Search) => FIELDS.some((name) => search[name]);

/** The values of a field, with one more or one less. */
export function toggled(search: Search, field: Field, value: string): Search {
  const held = list(search[field]) ?? [];
  const next = held.includes(value) ? held.filter((one) => one !== value) : [...held, value];
  return { ...search, [field]: next.join(",") || undefined };
}

/** How long the run has been executing, or waited to. */
export const span = (run: Run): [number, number | null] => [run.started_at ?? run.created_at, isFinal(run.status) ? run.finished_at : null];
