/* What the server says, as `mainspring.wire` and `mainspring.model.run` spell it. Times are epoch ms. */

export const STATUSES = [
  "delayed", "pending_version", "queued", "dequeued", "executing", "waiting", "completed",
  "failed", "crashed", "system_failure", "timed_out", "expired", "canceled",
] as const;
export type Status = (typeof STATUSES)[number];

const FINAL = new Set<Status>(["completed", "canceled", "failed", "crashed", "system_failure", "expired", "timed_out"]);
export const isFinal = (status: Status) => FINAL.has(status);

export interface RunError {
  message: string;
  name?: string;
  stack?: string;
  code?: string;
}

export interface Run {
  id: string;
  task: string;
  status: Status;
  queue: string;
  created_at: number;
  concurrency_key: string;
  version: string;
  payload: string | null;
  output: string | null;
  error: RunError | null;
  metadata: string | null;
  tags: string[];
  attempt: number;
  max_attempts: number;
  priority_ms: number;
  idempotency_key: string | null;
  is_test: boolean;
  started_at: number | null;
  finished_at: number | null;
  delayed_until: number | null;
  retry_at: number | null;
  ttl_ms: number | null;
  max_duration_ms: number | null;
  active_ms: number;
  parent_id: string | null;
  root_id: string | null;
  batch_id: string | null;
  replay_of: string | null;
  machine: string | null;
  region: string | null;
  schedule_id: string | null;
  depth: number;
  cancel_requested_at: number | null;
  payload_ref: string | null;
  output_ref: string | null;
  streams: string[];
}

export interface RunFilter {
  status?: Status[];
  task?: string[];
  tag?: string[];
  queue?: string[];
  version?: string[];
  schedule?: string[];
  bulk?: string[];
  error?: string[];
  batch_id?: string;
  is_test?: boolean;
  created_from?: number;
  created_to?: number;
  after?: string;
  limit?: number;
}

export interface RunPage {
  runs: Run[];
  next: string | null;
  previous: string | null;
}

export interface Schedule {
  id: string;
  kind: string;
  task: string;
  cron: string;
  timezone: string;
  active: boolean;
  description: string;
  dedup_key: string | null;
  external_id: string | null;
  window: string | null;
  next_at: number | null;
  starts_at: number | null;
  catch_up: string;
  last_at: number | null;
  ticks: number[];
}

export interface RunDetail {
  run: Run;
  root: Run | null;
  parent: Run | null;
  children: Run[];
  schedule: Schedule | null;
  usage?: Usage | null;
}

export interface Usage {
  active_ms: number;
  waiting_ms: number;
  attempts: number;
  payload_bytes: number;
  output_bytes: number;
  calls: number;
  input_tokens: number;
  output_tokens: number;
  cost: number;
}

export interface Span {
  id: string;
  run_id: string;
  kind: string;
  message: string;
  started_at: number;
  parent_id: string | null;
  ended_at: number | null;
  is_error: boolean;
  is_canceled: boolean;
  attempt: number;
  key: string;
  data: string | null;
  status: Status | null;
  task: string;
  queue: string;
  version: string;
  events: { at: number; level: string; message: string; data: string | null }[];
}

export interface Trace {
  trace_id: string;
  spans: Span[];
  truncated: boolean;
}

export interface Explanation {
  run_id: string;
  gate: string;
  text: string;
  position: number | null;
  holders: string[];
}

export interface Bulk {
  id: string;
  kind: string;
  status: "pending" | "completed" | "aborted";
  created_at: number;
  name: string | null;
  total: number;
  success: number;
  failure: number;
  completed_at: number | null;
}

export interface Queue {
  name: string;
  queued: number;
  running: number;
  paused: boolean;
  limit: number | null;
  base_limit: number | null;
  override_limit: number | null;
  override_at: number | null;
  total: number | null;
  rate: string | null;
  oldest_at: number | null;
}

export interface QueueKey {
  key: string;
  queued: number;
  running: number;
  limit: number | null;
  paused: boolean;
  oldest_at: number | null;
}

export interface Task {
  id: string;
  queue: string;
  version: string;
  description: string;
  payload_schema: Schema | null;
  spec: Record<string, unknown>;
  workers: number;
}

export interface Schema {
  $ref?: string;
  $defs?: Record<string, Schema>;
  type?: string | string[];
  title?: string;
  description?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema | boolean;
  enum?: unknown[];
  const?: unknown;
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
  default?: unknown;
  format?: string;
  minimum?: number;
  maximum?: number;
}

export interface Token {
  id: string;
  status: "waiting" | "completed" | "timed_out";
  created_at: number;
  timeout_at?: number | null;
  completed_at?: number | null;
  idempotency_key?: string | null;
  output?: string | null;
  tags?: string[];
  callback?: string;
  waiters?: { run_id: string; task: string; key: string; since: number }[];
}

/** An entry of a run's journal, or a wait of it that is open. */
export interface JournalLine {
  key: string;
  seq: number;
  kind: string;
  status: string;
  data: string | null;
  points: string[];
}

export interface Journal {
  generation: number;
  lines: JournalLine[];
}

export interface RunCounts {
  live: Partial<Record<Status, number>>;
  ended: Partial<Record<Status, number>>;
  most: number;
}

export interface BatchBrief {
  id: string;
  status: string;
  run_count: number;
  received: number;
  failed: number;
  ended: number;
  created_at: number;
}

export interface FoundLine {
  run_id: string;
  task: string;
  seq: number;
  at: number;
  level: string;
  message: string;
  data: string | null;
}

export interface FoundLines {
  lines: FoundLine[];
  next: string | null;
  searched_to: number | null;
}

export interface ErrorGroup {
  id: string;
  task: string;
  name: string;
  message: string;
  status: "new" | "regressed" | "resolved" | "muted";
  count: number;
  first_at: number;
  last_at: number;
  first_run: string;
  last_run: string;
  place: string;
  first_version: string;
  last_version: string;
}

export interface Deployment {
  id: string;
  version: string;
  created_at: number;
  workers: number;
  current: boolean;
  promoted_at: number | null;
  hash: string;
  size: number;
  runtime: string;
}

export interface Worker {
  id: string;
  host: string;
  pid: number;
  version: string;
  slots: number;
  running: number;
  waiting: number;
  tasks: string[];
  connected: boolean;
  since: number | null;
}

/** A line of a run's log as the socket sends it. */
export interface Line {
  seq: number;
  time: string;
  level: string;
  message: string;
  data?: unknown;
}

export interface Session {
  signedIn: boolean;
  dev: boolean;
  /** Nobody is known here yet: who has a secret key may become the first admin. */
  first?: boolean;
  release: string;
  name?: string;
  environment?: string;
  environments: { slug: string; role?: string }[];
}
