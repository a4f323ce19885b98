/* A run's status: a shape, a colour and a word, so that none of them has to do alone. */

import type { Status } from "../api/types.ts";

interface Look {
  word: string;
  color: string;
  bar: string;
  shape: string;
  dashed?: boolean;
  turning?: boolean;
}

const RING = "M8 2.2a5.8 5.8 0 1 1 0 11.6a5.8 5.8 0 0 1 0-11.6z";
const LOOKS: Record<Status, Look> = {
  delayed: { word: "Delayed", color: "text-off", bar: "bg-off", shape: `${RING}M8 4.8V8l2 1.4` },
  pending_version: { word: "Needs a worker", color: "text-wait", bar: "bg-wait", shape: `${RING}M8 4.8v4M8 11v.2` },
  queued: { word: "Queued", color: "text-off", bar: "bg-off", shape: RING, dashed: true },
  dequeued: { word: "Starting", color: "text-busy", bar: "bg-busy", shape: `${RING}M6.5 5.5L10 8l-3.5 2.5` },
  executing: { word: "Executing", color: "text-busy", bar: "bg-busy", shape: "M8 2.2a5.8 5.8 0 1 1-5.6 4.3", turning: true },
  waiting: { word: "Waiting", color: "text-wait", bar: "bg-wait", shape: `${RING}M6.4 5.8v4.4M9.6 5.8v4.4` },
  completed: { word: "Completed", color: "text-good", bar: "bg-good", shape: `${RING}M5.4 8.2l1.8 1.7 3.4-3.7` },
  failed: { word: "Failed", color: "text-bad", bar: "bg-bad", shape: `${RING}M6 6l4 4M10 6l-4 4` },
  crashed: { word: "Crashed", color: "text-bad", bar: "bg-bad", shape: "M8 2.3L14 13.2H2zM8 6.2v3.2M8 11.2v.2" },
  system_failure: { word: "System failure", color: "text-bad", bar: "bg-bad", shape: "M3 3h10v10H3zM8 5.3v3.6M8 10.8v.2" },
  timed_out: { word: "Timed out", color: "text-bad", bar: "bg-bad", shape: "M4.5 2.5h7M4.5 13.5h7M5.3 2.5c0 3.5 5.4 7.5 5.4 11M10.7 2.5c0 3.5-5.4 7.5-5.4 11" },
  expired: { word: "Expired", color: "text-off", bar: "bg-off", shape: `${RING}M8 4.8V8l-2 1.4` },
  canceled: { word: "Canceled", color: "text-off", bar: "bg-off", shape: `${RING}M4.1 11.9l7.8-7.8` },
};

export const statusWord = (status: Status) => LOOKS[status]?.word ?? status;
export const statusColor = (status: Status) => LOOKS[status]?.color;
export const statusBar = (status: Status) => LOOKS[status].bar;

export function StatusIcon({ status }: { status: Status }) {
  const look = LOOKS[status];
  return (
    <svg
      viewBox="0 0 16 16"
      className={`size-4 shrink-0 ${look.color} ${look.turning ? "turning" : ""}`}
      fill="none"
      stroke="currentColor"
      strokeWidth="1.6"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={look.shape} strokeDasharray={look.dashed ? "2.2 2.4" : undefined} />
    </svg>
  );
}

export function StatusBadge({ status, iconOnly = false }: { status: Status; iconOnly?: boolean }) {
  const look = LOOKS[status];
  return (
    <span className={`inline-flex items-center gap-1.5 align-middle whitespace-nowrap ${look.color}`} title={iconOnly ? look.word : undefined}>
      <StatusIcon status={status} />
      <span className={iconOnly ? "sr-only" : ""}>{look.word}</span>
    </span>
  );
}
