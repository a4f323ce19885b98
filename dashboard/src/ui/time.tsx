/* Moments and durations in words, and the clock that they tick by. */

import { useEffect, useState, useSyncExternalStore } from "react";

let now = Date.now();
const watchers = new Set<() => void>();
let timer = 0;

function watch(told: () => void): () => void {
  watchers.add(told);
  if (watchers.size === 1) {
    now = Date.now();
    timer = setInterval(() => {
      now = Date.now();
      for (const one of watchers) one();
    }, 1000);
  }
  return () => {
    watchers.delete(told);
    if (watchers.size === 0) clearInterval(timer);
  };
}

/** The time, which moves once a second; one timer for the whole page. */
export const useNow = () => useSyncExternalStore(watch, () => now);

/** Calls back several times a second while something is going on. */
export function useFrames(active: boolean, told: () => void): void {
  useEffect(() => {
    if (!active) return;
    const id = setInterval(told, 250);
    return () => clearInterval(id);
  }, [active, told]);
}

/** The value once it has stayed the same for a while, as when somebody has stopped typing. */
export function useSettled<T>(value: T, ms = 300): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const id = setTimeout(() => setSettled(value), ms);
    return () => clearTimeout(id);
  }, [value, ms]);
  return settled;
}

export function duration(ms: number): string {
  if (ms < 1) return "0 ms";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  const s = Math.floor(ms / 1000);
  if (s < 3600) return `${Math.floor(s / 60)} m ${s % 60} s`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} m`;
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3600)} h`;
}

function distance(ms: number): string {
  const s = Math.round(Math.abs(ms) / 1000);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86_400)} d`;
}

const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
export const moment = (at: number) => exact.format(at);

/** The same by the clocks of a zone; by those of this machine when there is no such zone. */
export function momentIn(timeZone: string): (at: number) => string {
  try {
    const there = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium", timeZone });
    return (at) => there.format(at);
  } catch {
    return moment;
  }
}

/** How long ago or how soon, with the exact time on hover. */
export function Ago({ at }: { at: number }) {
  const time = useNow();
  const ms = time - at;
  const words = Math.abs(ms) < 1500 ? "now" : ms > 0 ? `${distance(ms)} ago` : `in ${distance(ms)}`;
  return (
    <time dateTime={new Date(at).toISOString()} title={moment(at)} className="num whitespace-nowrap">
      {words}
    </time>
  );
}

/** For how long something has waited; nothing when nothing waits. */
export function Waiting({ since }: { since: number | null }) {
  return since === null ? <span className="text-dim">–</span> : <Growing from={since} />;
}

/** A duration that grows while there is no end. */
export function Lasting({ from, to }: { from: number; to: number | null }) {
  return to === null ? <Growing from={from} /> : <span className="num whitespace-nowrap">{duration(to - from)}</span>;
}

function Growing({ from }: { from: number }) {
  const time = useNow();
  return <span className="num whitespace-nowrap">{duration(Math.max(0, time - from))}</span>;
}
