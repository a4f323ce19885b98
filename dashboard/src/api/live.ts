/* The one socket of this tab. Subscriptions outlive it: after a break each goes on from its place. */

import { useSyncExternalStore } from "react";
import { at, chosenEnvironment } from "./call.ts";
import type { Line, Run, Status } from "./types.ts";

export interface Topic {
  topic: "list" | "run" | "logs";
  run?: string;
}

/** A run as the socket tells it. */
export interface Brief {
  id: string;
  status: string;
  taskIdentifier: string;
  startedAt?: string;
  finishedAt?: string;
  durationMs: number;
  tags: string[];
}

type Told =
  | { op: "subscribed"; id: string }
  | { op: "error"; id: string; code: string; error: string }
  | { op: "runs"; id: string; offset: string; runs: Brief[] }
  | { op: "lines"; id: string; offset: string; lines: Line[] }
  | { op: "ended"; id: string; offset: string; reason: string }
  | { op: "goodbye"; retry: number };

export interface Listener {
  runs?: (runs: Brief[]) => void;
  lines?: (lines: Line[]) => void;
  /** What was told may have gaps before this moment: read again. */
  again?: () => void;
}

interface Subscription {
  topic: Topic;
  from: string;
  listeners: Set<Listener>;
  over: boolean;
}

export type State = "connecting" | "live" | "offline";

class Live {
  #socket: WebSocket | null = null;
  #subscriptions = new Map<string, Subscription>();
  #state: State = "connecting";
  #watchers = new Set<() => void>();
  #failures = 0;
  #timer = 0;

  /** Called each time that no connection could be made. */
  onRefused: () => void = () => {};

  get state(): State {
    return this.#state;
  }

  watch = (told: () => void): (() => void) => {
    this.#watchers.add(told);
    return () => this.#watchers.delete(told);
  };

  start(): void {
    this.stop();
    this.#connect();
  }

  stop(): void {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    for (const one of this.#subscriptions.values()) one.from = one.topic.topic === "logs" ? "" : "now";
  }

  /** Hear of a topic until the answer is called. Log lines come from the first one on. */
  subscribe(topic: Topic, listener: Listener): () => void {
    const fresh = topic.topic === "logs";
    const id = `${topic.topic}:${topic.run ?? ""}${fresh ? `:${crypto.randomUUID()}` : ""}`;
    let one = this.#subscriptions.get(id);
    if (one === undefined) {
      one = { topic, from: fresh ? "" : "now", listeners: new Set(), over: false };
      this.#subscriptions.set(id, one);
      this.#say(id, one);
    }
    one.listeners.add(listener);
    const found = one;
    return () => {
      found.listeners.delete(listener);
      if (found.listeners.size > 0 || this.#subscriptions.get(id) !== found) return;
      this.#subscriptions.delete(id);
      if (!found.over) this.#send({ op: "unsubscribe", id });
    };
  }

  #connect(): void {
    const url = new URL(at("api/v1/realtime"));
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    if (chosenEnvironment()) url.searchParams.set("environment", chosenEnvironment());
    const socket = new WebSocket(url, ["mainspring"]);
    let opened = false;
    this.#socket = socket;
    socket.onopen = () => {
      opened = true;
      this.#failures = 0;
      this.#become("live");
      for (const [id, one] of this.#subscriptions) this.#say(id, one);
    };
    socket.onmessage = (event) => {
      if (this.#socket === socket) this.#hear(JSON.parse(event.data as string) as Told);
    };
    socket.onclose = () => {
      if (this.#socket !== socket) return;
      this.#socket = null;
      this.#become("offline");
      const pause = Math.min(15_000, 400 * 2 ** this.#failures++) * (0.7 + Math.random() * 0.6);
      this.#timer = setTimeout(() => this.#connect(), pause);
      if (!opened) this.onRefused();
    };
  }

  #hear(told: Told): void {
    if (told.op === "goodbye") return;
    const one = this.#subscriptions.get(told.id);
    if (one === undefined) return;
    if (told.op === "subscribed") {
      for (const listener of one.listeners) listener.again?.();
      return;
    }
    if (told.op === "error") {
      one.over = true;
      return;
    }
    one.from = told.offset;
    if (told.op === "ended") {
      one.over = told.reason === "finished";
      if (!one.over && told.reason !== "unsubscribed") setTimeout(() => this.#say(told.id, one), 500);
      return;
    }
    for (const listener of one.listeners) {
      if (told.op === "runs") listener.runs?.(told.runs);
      else listener.lines?.(told.lines);
    }
    this.#send({ op: "ack", id: told.id, offset: told.offset });
  }

  #say(id: string, one: Subscription): void {
    if (this.#subscriptions.get(id) !== one || one.over) return;
    this.#send({ op: "subscribe", id, ...one.topic, from: one.from });
  }

  #send(message: object): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #become(state: State): void {
    this.#state = state;
    for (const told of this.#watchers) told();
  }
}

export const live = new Live();
export const useLiveState = () => useSyncExternalStore(live.watch, () => live.state);

/** What the socket says of a run, in the words of the other answers. */
export const briefly = (brief: Brief): Partial<Run> => ({
  status: brief.status.toLowerCase() as Status,
  started_at: brief.startedAt ? Date.parse(brief.startedAt) : null,
  finished_at: brief.finishedAt ? Date.parse(brief.finishedAt) : null,
  active_ms: brief.durationMs,
  tags: brief.tags,
});
