/* A new run that begins where this one came to an entry of its journal. */

import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { call } from "../../api/call.ts";
import { isFinal, type Run, type Span } from "../../api/types.ts";
import { useMay } from "../../frame/session.ts";
import { Button, Dialog } from "../../ui/controls.tsx";
import { pretty } from "../../ui/json.tsx";
import { say, sayFailure } from "../../ui/say.tsx";
import { JsonField, problem } from "./actions.tsx";

export function RestartFrom({ run, span }: { run: Run; span: Span }) {
  const may = useMay("operator");
  const [asked, setAsked] = useState(false);
  const over = isFinal(run.status);
  return (
    <div className="py-3">
      <Button icon="replay" disabled={!may || !over} title={over ? undefined : "A run is restarted when it has ended"} onClick={() => setAsked(true)}>
        Restart from here
      </Button>
      {asked && <Restart run={run} span={span} onClose={() => setAsked(false)} />}
    </div>
  );
}

function Restart({ run, span, onClose }: { run: Run; span: Span; onClose: () => void }) {
  const navigate = useNavigate();
  const original = run.payload === null ? "" : pretty(run.payload);
  const [text, setText] = useState(original);
  const [busy, setBusy] = useState(false);
  const wrong = text === original ? "" : problem(text);
  const restart = async () => {
    setBusy(true);
    try {
      const payload = text === original ? undefined : JSON.stringify(JSON.parse(text));
      const made = await call<{ run_id: string }>("restart", { run_id: run.id, key: span.key, payload, request_key: crypto.randomUUID() });
      onClose();
      say("Restarted as a new run.");
      void navigate({ to: "/runs/$run", params: { run: made.run_id } });
    } catch (error) {
      sayFailure(error);
      setBusy(false);
    }
  };
  return (
    <Dialog title={`Restart from ${span.message}`} onClose={onClose} wide>
      <p className="mb-3 text-dim">A new run takes along what was done before this entry, and does it and the rest again.</p>
      {run.payload !== null && <JsonField label="Payload" text={text} change={setText} wrong={wrong} />}
      <div className="mt-4 flex justify-end gap-2">
        <Button onClick={onClose}>Close</Button>
        <Button kind="primary" disabled={busy || wrong !== ""} onClick={() => void restart()}>Restart</Button>
      </div>
    </Dialog>
  );
}
