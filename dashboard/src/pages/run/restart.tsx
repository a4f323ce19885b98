/* A new run that begins where this one came to an entry of its journal, or right after one whose result
   is replaced. */

import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useAsk } from "../../api/ask.ts";
import { call } from "../../api/call.ts";
import { isFinal, type Journal, type JournalLine, type Run, type Span } from "../../api/types.ts";
import { useMay } from "../../frame/session.ts";
import { Button, Dialog } from "../../ui/controls.tsx";
import { pretty } from "../../ui/json.tsx";
import { Loading, say, sayFailure } from "../../ui/say.tsx";
import { JsonField, problem } from "./actions.tsx";

/** What the engine lets anybody replace. */
const EDITABLE = new Set(["step", "checkpoint", "token", "event", "input"]);

export function RestartFrom({ run, span }: { run: Run; span: Span }) {
  const may = useMay("operator");
  const [asked, setAsked] = useState<"from" | "edit" | null>(null);
  const over = isFinal(run.status);
  const why = over ? undefined : "A run is restarted when it has ended";
  const edits = EDITABLE.has(span.kind) && span.ended_at !== null && !span.is_error;
  const close = () => setAsked(null);
  return (
    <div className="flex flex-wrap gap-1.5 py-3">
      <Button icon="replay" disabled={!may || !over} title={why} onClick={() => setAsked("from")}>Restart from here</Button>
      {edits && <Button disabled={!may || !over} title={why} onClick={() => setAsked("edit")}>Go on with another result</Button>}
      {asked === "from" && <Restart run={run} span={span} onClose={close} />}
      {asked === "edit" && <Edit run={run} span={span} onClose={close} />}
    </div>
  );
}

/** Asks for the new run and opens it. */
function useRestart(run: Run, onClose: () => void): [boolean, (fields: object) => Promise<void>] {
  const navigate = useNavigate();
  const [busy, setBusy] = useState(false);
  const restart = async (fields: object) => {
    setBusy(true);
    try {
      const made = await call<{ run_id: string }>("restart", { run_id: run.id, ...fields, request_key: crypto.randomUUID() });
      onClose();
      say("Restarted as a new run.");
      void navigate({ to: "/runs/$run", params: { run: made.run_id } });
    } catch (error) {
      sayFailure(error);
      setBusy(false);
    }
  };
  return [busy, restart];
}

function Restart({ run, span, onClose }: { run: Run; span: Span; onClose: () => void }) {
  const original = run.payload === null ? "" : pretty(run.payload);
  const [text, setText] = useState(original);
  const [busy, restart] = useRestart(run, onClose);
  const wrong = text === original ? "" : problem(text);
  const payload = () => (text === original ? undefined : JSON.stringify(JSON.parse(text)));
  return (
    <Dialog title={`Restart from ${span.message}`} onClose={onClose} wide>
      <p className="mb-3 text-dim">A new run takes along what was done before this entry, and does it and the rest again.</p>
      {run.payload !== null && <JsonField label="Payload" text={text} change={setText} wrong={wrong} />}
      <div className="mt-4 flex justify-end gap-2">
        <Button onClick={onClose}>Close</Button>
        <Button kind="primary" disabled={busy || wrong !== ""} onClick={() => void restart({ key: span.key, payload: payload() })}>Restart</Button>
      </div>
    </Dialog>
  );
}

/** The entry that comes after that one; a step that failed counts under its own key. */
function after(lines: JournalLine[], key: string): string | undefined {
  const own = lines.find((line) => line.key === key);
  return own && lines.find((line) => line.seq > own.seq && !line.key.startsWith("!"))?.key.split("!")[0];
}

function Edit({ run, span, onClose }: { run: Run; span: Span; onClose: () => void }) {
  const journal = useAsk<Journal>("journal", { run_id: run.id });
  const lines = journal.data?.lines;
  const stored = lines?.find((line) => line.key === span.key)?.data ?? "null";
  const next = lines && after(lines, span.key);
  const [typed, setTyped] = useState<string | null>(null);
  const [busy, restart] = useRestart(run, onClose);
  const text = typed ?? pretty(stored);
  const wrong = problem(text);
  return (
    <Dialog title={`Another result of ${span.message}`} onClose={onClose} wide>
      {!lines && <Loading />}
      {lines && !next && <p>Nothing was done after this entry, so nothing can go on with another result. Restart from it instead.</p>}
      {next && (
        <>
          <p className="mb-3 text-dim">
            A new run takes along what was done up to here, with this result in place of the old one, and goes on at <code className="font-mono text-[13px]">{next}</code>.
          </p>
          <JsonField label="Result" text={text} change={setTyped} wrong={wrong} />
          <div className="mt-4 flex justify-end gap-2">
            <Button onClick={onClose}>Close</Button>
            <Button kind="primary" disabled={busy || wrong !== ""} onClick={() => void restart({ key: next, edits: { [span.key]: JSON.stringify(JSON.parse(text)) } })}>Restart</Button>
          </div>
        </>
      )}
    </Dialog>
  );
}
