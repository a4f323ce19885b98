/* Metrics as the server keeps them: asked for a stretch of time that ends now, in steps. */

import type { UseQueryResult } from "@tanstack/react-query";
import { useNow } from "../ui/time.tsx";
import { useAsk } from "./ask.ts";

export interface Point {
  at: number;
  count: number;
  total: number;
  low: number;
  high: number;
  last: number;
  p50?: number | null;
  p95?: number | null;
  p99?: number | null;
}
export interface Series {
  labels: Record<string, string>;
  points: Point[];
}
export interface Metric {
  name: string;
  kind: "counter" | "gauge" | "histogram";
  unit: string;
  words: string;
  labels: string[];
}
export interface Measured {
  name: string;
  kind: Metric["kind"];
  unit: string;
  since: number;
  until: number;
  step_ms: number;
  series: Series[];
  truncated: boolean;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

export interface Range {
  word: string;
  ms: number;
  step: number;
}
export const RANGES: Range[] = [
  { word: "1h", ms: HOUR_MS, step: MINUTE_MS },
  { word: "6h", ms: 6 * HOUR_MS, step: 5 * MINUTE_MS },
  { word: "24h", ms: 24 * HOUR_MS, step: 20 * MINUTE_MS },
  { word: "7d", ms: 7 * 24 * HOUR_MS, step: 2 * HOUR_MS },
  { word: "30d", ms: 30 * 24 * HOUR_MS, step: 8 * HOUR_MS },
];
export const DAY: Range = { word: "24h", ms: 24 * HOUR_MS, step: HOUR_MS };

/** Where a stretch begins: it moves on with the steps, so that the same question is asked again. */
export function useSince(range: Range): number {
  const now = useNow();
  return Math.floor(now / Math.min(range.step, 5 * MINUTE_MS)) * Math.min(range.step, 5 * MINUTE_MS) - range.ms;
}

export function useMetric(name: string, range: Range, by: string[] = [], where: Record<string, string> = {}): UseQueryResult<Measured> {
  const since = useSince(range);
  return useAsk<Measured>("read_metric", { name, since: Math.floor(since / range.step) * range.step, step_ms: range.step, by, where }, { every: range.step <= MINUTE_MS ? 5_000 : 15_000 });
}
