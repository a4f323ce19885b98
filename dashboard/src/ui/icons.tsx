/* Line drawings of 16 px; they are beside words, so nobody has to read them out. */

const PATHS = {
  overview: "M2.5 9.5h4v4h-4zM9.5 2.5h4v11h-4zM2.5 2.5h4v4h-4z",
  runs: "M2.5 4h7M2.5 8h11M2.5 12h5",
  tasks: "M3 3h10v10H3zM5.5 8l2 2 3.5-4",
  test: "M6 2.5h4M7 2.5v4l-3.8 6.2a.6.6 0 0 0 .5.8h8.6a.6.6 0 0 0 .5-.8L9 6.5v-4",
  queues: "M2.5 3.5h11v3h-11zM2.5 9.5h7v3h-7z",
  schedules: "M8 2.5a5.5 5.5 0 1 1 0 11a5.5 5.5 0 0 1 0-11zM8 5v3l2 1.5",
  tokens: "M2.5 4h11v3a1.5 1.5 0 0 0 0 3v2h-11v-2a1.5 1.5 0 0 0 0-3zM9.5 4.5v1M9.5 7.5v1M9.5 10.5v1",
  batches: "M2.5 5.5l5.5-3 5.5 3-5.5 3zM2.5 8.5l5.5 3 5.5-3M2.5 11l5.5 3 5.5-3",
  bulk: "M2.5 4.5l1.2 1.2L6 3.4M8.5 4.5h5M2.5 11.5l1.2 1.2L6 10.4M8.5 11.5h5",
  workers: "M3 3.5h10v4H3zM3 8.5h10v4H3zM5 5.5h.2M5 10.5h.2",
  audit: "M4 2.5h8v11H4zM6 5.5h4M6 8h4M6 10.5h2",
  errors: "M8 2.5l6 10.5H2zM8 6.5v3M8 11.3v.2",
  logs: "M2.5 4h2M6.5 4h7M2.5 8h2M6.5 8h7M2.5 12h2M6.5 12h4",
  metrics: "M2.5 13.5h11M3.5 11l3-4 2.5 2.5 4-6",
  variables: "M5 3c-2 0-1 4-3 5 2 1 1 5 3 5M11 3c2 0 1 4 3 5-2 1-1 5-3 5",
  keys: "M10 2.5a3.5 3.5 0 1 1 0 7a3.5 3.5 0 0 1 0-7zM7.5 8.5l-5 5M4.5 11.5l1.5 1.5",
  deployments: "M8 2.5l4 4M8 2.5l-4 4M8 2.5v8M2.5 13.5h11",
  settings: "M2.5 5h6M11.5 5h2M2.5 11h2M7.5 11h6M10 3.5v3M6 9.5v3",
  sun: "M8 5a3 3 0 1 1 0 6a3 3 0 0 1 0-6zM8 1.5v1.3M8 13.2v1.3M1.5 8h1.3M13.2 8h1.3M3.4 3.4l.9.9M11.7 11.7l.9.9M12.6 3.4l-.9.9M4.3 11.7l-.9.9",
  moon: "M13 9.5A5.5 5.5 0 1 1 6.5 3 4.4 4.4 0 0 0 13 9.5z",
  menu: "M2.5 4.5h11M2.5 8h11M2.5 11.5h11",
  close: "M4 4l8 8M12 4l-8 8",
  plus: "M8 3v10M3 8h10",
  minus: "M3 8h10",
  columns: "M2.5 3h11v10h-11zM6.2 3v10M9.8 3v10",
  approvals: "M8 2.2l5 2v3.6c0 3-2.2 5-5 6-2.8-1-5-3-5-6V4.2zM5.6 7.9l1.7 1.6 3.1-3.3",
  caret: "M6 4l4 4-4 4",
  down: "M4 6l4 4 4-4",
  copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
  check: "M3 8.5l3.2 3L13 4.5",
  help: "M8 1.8a6.2 6.2 0 1 1 0 12.4a6.2 6.2 0 0 1 0-12.4zM6.2 6.3c.2-2.4 3.7-2.2 3.6 0 0 1.4-1.8 1.5-1.8 3M8 11.3v.3",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  play: "M5 3l7.5 5L5 13z",
  search: "M7 2.5a4.5 4.5 0 1 1 0 9a4.5 4.5 0 0 1 0-9zM10.3 10.3l3.2 3.2",
  out: "M9.5 2.5h4v4M13.5 2.5l-6 6M11.5 9v4.5h-9v-9H7",
  replay: "M3 8a5 5 0 1 1 1.5 3.6M3 13v-3h3",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, className = "" }: { name: IconName; className?: string }) {
  return (
    <svg
      viewBox="0 0 16 16"
      className={`size-4 shrink-0 ${className}`}
      fill="none"
      stroke="currentColor"
      strokeWidth="1.4"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
