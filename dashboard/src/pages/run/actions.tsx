/* What can be done to a run. */

import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { call } from "../../api/call.ts";
import { isFinal, type Run } from "../../api/types.ts";
import { useMay } from "../../frame/session.ts";
import { useKeys } from "../../frame/shortcuts.tsx";
import { Button, copy, Dialog, Menu, MenuItem } from "../../ui/controls.tsx";
import { pretty } from "../../ui/json.tsx";
import { say, sayFailure } from "../../ui/say.tsx";
import { LANGUAGES, snippet } from "./snippets.ts";

type Asked = "replay" | "cancel" | "reschedule" | null;

export function Actions({ run }: { run: Run }) {
  const [asked, setAsked] = useState<Asked>(null);
  const navigate = useNavigate();
  const operator = useMay("operator");
  const developer = useMay("developer");
  const over = isFinal(run.status);
  const replays = operator && run.payload !== null;
  useKeys({
    r: () => replays && setAsked("replay"),
    c: () => operator && !over && setAsked("cancel"),
  });
  const go = (id: string) => void navigate({ to: "/runs/$run", params: { run: id } });
  const close = () => setAsked(null);
  return (
    <>
      <Menu label="Copy as" icon="copy" align="right">
        {(shut) =>
          LANGUAGES.map((language) => (
            <MenuItem
              key={language}
              onClick={() => {
                shut();
                void copy(snippet(run, language)).then(() => say(`Copied the trigger as ${language}.`), sayFailure);
              }}
            >
              {language}
            </MenuItem>
          ))
        }
      </Menu>
      {run.status === "delayed" && (
        <Button icon="schedules" disabled={!developer} onClick={() => setAsked("reschedule")}>
          Reschedule
        </Button>
      )}
      <Button icon="replay" disabled={!operator} onClick={() => setAsked("replay")}>
        Replay
      </Button>
      {!over && (
        <Button kind="danger" disabled={!operator || run.cancel_requested_at !== null} onClick={() => setAsked("cancel")}>
          {run.cancel_requested_at !== null ? "Canceling…" : "Cancel run"}
        </Button>
      )}
      {asked === "replay" && <Replay run={run} onClose={close} go={go} />}
      {asked === "cancel" && <Cancel run={run} onClose={close} />}
      {asked === "reschedule" && <Reschedule run={run} onClose={close} />}
    </>
  );
}

function Cancel({ run, onClose }: { run: Run; onClose: () => void }) {
  const cancel = () => {
    onClose();
    call("cancel", { run_id: run.id }).then(() => say("Cancel was asked for."), sayFailure);
  };
  return (
    <Dialog title="Cancel this run" onClose={onClose}>
      <p>The run ends as canceled, and so do its children that run. What it has done stays done.</p>
      <div className="mt-4 flex justify-end gap-2">
        <Button onClick={onClose}>Leave it</Button>
        <Button kind="danger" onClick={cancel}>
          Cancel it
        </Button>
      </div>
    </Dialog>
  );
}

function Replay({ run, onClose, go }: { run: Run; onClose: () => void; go: (id: string) => void }) {
  const original = run.payload === null ? "" : pretty(run.payload);
  const [text, setText] = useState(original);
  const [busy, setBusy] = useState(false);
  const wrong = text === original ? "" : problem(text);
  const replay = async () => {
    setBusy(true);
    try {
      const payload = text === original ? undefined : JSON.stringify(JSON.parse(text));
      const made = await call<{ run_id: string }>("replay", { run_id: run.id, payload, request_key: crypto.randomUUID() });
      onClose();
      say("Replayed as a new run.");
      go(made.run_id);
    } catch (error) {
      sayFailure(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog title="Replay" onClose={onClose} wide>
      <p className="mb-3 text-dim">A new run of {run.task} with the same options. Change the payload if you like.</p>
      {run.payload === null ? (
        <p className="rounded-md bg-raised px-3 py-2">The payload is too large to be shown; it is used as it is.</p>
      ) : (
        <JsonField label="Payload" text={text} change={setText} wrong={wrong} />
      )}
      <div className="mt-4 flex justify-end gap-2">
        <Button onClick={onClose}>Close</Button>
        <Button kind="primary" disabled={busy || wrong !== ""} onClick={() => void replay()}>
          Replay
        </Button>
      </div>
    </Dialog>
  );
}

function Reschedule({ run, onClose }: { run: Run; onClose: () => void }) {
  const local = new Date((run.delayed_until ?? Date.now()) - new Date().getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
  const [when, setWhen] = useState(local);
  const move = () => {
    onClose();
    call("reschedule", { run_id: run.id, delay_until: new Date(when).getTime() }).then(() => say("The run has another time."), sayFailure);
  };
  return (
    <Dialog title="Reschedule" onClose={onClose}>
      <label className="block font-medium" htmlFor="when">
        Start at
      </label>
      <input id="when" type="datetime-local" className="field mt-1" value={when} onChange={(event) => setWhen(event.target.value)} />
      <div className="mt-4 flex justify-end gap-2">
        <Button onClick={() => setWhen(local)}>Reset</Button>
        <Button kind="primary" disabled={!when} onClick={move}>
          Set
        </Button>
      </div>
    </Dialog>
  );
}

export function problem(text: string): string {
  try {
    JSON.parse(text);
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

export function JsonField({ label, text, change, wrong }: { label: string; text: string; change: (text: string) => void; wrong: string }) {
  return (
    <label className="block">
      <span className="font-medium">{label}</span>
      <textarea
        spellCheck={false}
        rows={Math.min(18, Math.max(6, text.split("\n").length + 1))}
        className="field mt-1 font-mono text-[13px]"
        aria-invalid={wrong !== ""}
        value={text}
        onChange={(event) => change(event.target.value)}
      />
      <span className="block min-h-5 text-bad" role={wrong ? "alert" : undefined}>
        {wrong}
      </span>
    </label>
  );
}
