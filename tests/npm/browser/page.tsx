/* One page with a case for each hook; the address names the case, the server and the token. */

import {
  TriggerAuthContext,
  useApiClient,
  useInputStreamSend,
  useRealtimeBatch,
  useRealtimeRun,
  useRealtimeRunsWithTag,
  useRealtimeRunWithStreams,
  useRealtimeStream,
  useRealtimeTaskTrigger,
  useRealtimeTaskTriggerWithStreams,
  useRun,
  useTaskTrigger,
  useWaitToken,
} from "@trigger.dev/react-hooks";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { createRoot } from "react-dom/client";
import type { Count, Greet, Talk, Word } from "./tasks.js";

const asked = new URLSearchParams(location.hash.slice(1));
const ask = (name: string) => asked.get(name) ?? "";

/** What the driver reads: always the newest state, as JSON. */
function Shown({ state }: { state: unknown }) {
  return <output id="state">{JSON.stringify(state)}</output>;
}

function Act({ does, children }: { does: () => unknown; children?: ReactNode }) {
  return (
    <button id="act" type="button" onClick={() => does()}>
      {children ?? "act"}
    </button>
  );
}

/** Every value that it was given, one after another. */
function useHistory<T>(value: T | undefined): T[] {
  const seen = useRef<T[]>([]);
  if (value !== undefined && seen.current.at(-1) !== value) seen.current.push(value);
  return seen.current;
}

const cases: Record<string, () => ReactNode> = {
  progress() {
    const [completed, setCompleted] = useState("");
    const { run, error } = useRealtimeRun<Count>(ask("run"), {
      onComplete: (run) => setCompleted(run.status),
    });
    const done = useHistory(run?.metadata?.done);
    const { status, output } = run ?? {};
    return <Shown state={{ status, output, done, completed, error: error?.message }} />;
  },

  withStreams() {
    const { run, streams } = useRealtimeRunWithStreams<Count, { words: Word }>(ask("run"));
    return <Shown state={{ status: run?.status, words: streams.words?.map((part) => part.n) }} />;
  },

  stream() {
    const { parts, error } = useRealtimeStream<Word>(ask("run"), "words");
    return <Shown state={{ words: parts.map((part) => part.n), error: error?.message }} />;
  },

  cancel() {
    const client = useApiClient();
    const { run } = useRealtimeRun(ask("run"));
    return (
      <>
        <Act does={() => client?.cancelRun(ask("run"))} />
        <Shown state={{ status: run?.status }} />
      </>
    );
  },

  waitToken() {
    const { complete, isCompleted, isReady, error } = useWaitToken<object>(ask("waitpoint"));
    return (
      <>
        <Act does={() => complete({ by: "page" })} />
        <Shown state={{ isCompleted, isReady, error: error?.message }} />
      </>
    );
  },

  trigger() {
    const { submit, handle, error } = useTaskTrigger<Greet>("greet");
    return (
      <>
        <Act does={() => submit({ name: "page" })} />
        <Shown state={{ ...handle, error: error?.message }} />
      </>
    );
  },

  realtimeTrigger() {
    const { submit, run, error } = useRealtimeTaskTrigger<Count>("count");
    const done = useHistory(run?.metadata?.done);
    return (
      <>
        <Act does={() => submit({ to: 3, pause: 0.1 })} />
        <Shown state={{ status: run?.status, output: run?.output, done, error: error?.message }} />
      </>
    );
  },

  triggerWithStreams() {
    const { submit, run, streams, error } = useRealtimeTaskTriggerWithStreams<
      Talk,
      { words: Word }
    >("talk");
    const words = streams.words?.map((part) => part.n);
    return (
      <>
        <Act does={() => submit({ words: 2 })} />
        <Shown state={{ status: run?.status, words, error: error?.message }} />
      </>
    );
  },

  tag() {
    const { runs, error } = useRealtimeRunsWithTag(ask("tag"));
    const statuses = Object.fromEntries(runs.map((run) => [run.id, run.status]));
    return <Shown state={{ statuses, error: error?.message }} />;
  },

  batch() {
    const { runs, error } = useRealtimeBatch<Count>(ask("batch"));
    const outputs = Object.fromEntries(runs.map((run) => [run.id, run.output]));
    return <Shown state={{ outputs, error: error?.message }} />;
  },

  input() {
    const { send, isReady, error } = useInputStreamSend<string>("answers", ask("run"));
    const { run } = useRealtimeRun(ask("run"));
    const { status, output } = run ?? {};
    return (
      <>
        <Act does={() => send("from the page")} />
        <Shown state={{ isReady, status, output, error: error?.message }} />
      </>
    );
  },

  run() {
    const { run, error } = useRun<Greet>(ask("run"), { refreshInterval: 100 });
    const state = { status: run?.status, output: run?.output, error: error?.message };
    return <Shown state={state} />;
  },

  refreshed() {
    const [asked, setAsked] = useState(0);
    const { parts, error } = useRealtimeStream<Word>(ask("run"), "words", {
      refreshAccessToken: async () => {
        setAsked((times) => times + 1);
        return ask("fresh");
      },
    });
    return <Shown state={{ words: parts.map((part) => part.n), asked, error: error?.message }} />;
  },

  headers() {
    const [state, setState] = useState({});
    useEffect(() => {
      const headers = { Authorization: `Bearer ${ask("token")}`, "x-trigger-client": "browser" };
      fetch(`${ask("url")}${ask("path")}`, { headers, method: ask("method") || "GET" }).then(
        (answer) => setState({ code: answer.status, headers: Object.fromEntries(answer.headers) }),
        (error: Error) => setState({ error: error.message }),
      );
    }, []);
    return <Shown state={state} />;
  },
};

const Case = cases[ask("case")];
if (Case === undefined) throw new Error(`there is no case ${ask("case")}`);
createRoot(document.getElementById("root") as HTMLElement).render(
  <TriggerAuthContext.Provider value={{ accessToken: ask("token"), baseURL: ask("url") }}>
    <Case />
  </TriggerAuthContext.Provider>,
);
