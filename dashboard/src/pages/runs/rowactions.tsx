/* What is done to one run from its row: cancel, replay, copy its id. */

import { call } from "../../api/call.ts";
import { isFinal, type Run } from "../../api/types.ts";
import { useMay } from "../../frame/session.ts";
import { Button, copy, Dialog } from "../../ui/controls.tsx";
import { say, sayFailure } from "../../ui/say.tsx";

export type Verb = "cancel" | "replay" | "copy";

/** Beside the row that the pointer or the focus is in. */
export function RowActions({ run, act }: { run: Run; act: (verb: Verb, run: Run) => void }) {
  const may = useMay("operator");
  return (
    <span className="absolute inset-y-0 right-2 z-20 flex items-center gap-0.5 bg-raised pl-1 shadow-[-10px_0_8px_var(--raised)]">
      {!isFinal(run.status) && <Button kind="ghost" icon="close" label="Cancel this run (c)" disabled={!may} className="size-7!" onClick={() => act("cancel", run)} />}
      <Button kind="ghost" icon="replay" label="Replay this run (r)" disabled={!may} className="size-7!" onClick={() => act("replay", run)} />
      <Button kind="ghost" icon="copy" label="Copy the id (y)" className="size-7!" onClick={() => act("copy", run)} />
    </span>
  );
}

export const copyId = (run: Run) => void copy(run.id).then(() => say("Copied the id."), sayFailure);

/** Asks whether it is meant. */
export function AskOne({ verb, run, onClose, open }: { verb: "cancel" | "replay"; run: Run; onClose: () => void; open: (id: string) => void }) {
  const cancels = verb === "cancel";
  const act = async () => {
    onClose();
    try {
      if (cancels) {
        await call("cancel", { run_id: run.id });
        say("Cancel was asked for.");
      } else {
        const { run_id } = await call<{ run_id: string }>("replay", { run_id: run.id, request_key: crypto.randomUUID() });
        say(<>Replayed as <button type="button" className="text-accent underline" onClick={() => open(run_id)}>a new run</button>.</>);
      }
    } catch (error) {
      sayFailure(error);
    }
  };
  return (
    <Dialog title={cancels ? "Cancel this run" : "Replay this run"} onClose={onClose}>
      <p>
        <b className="font-medium">{run.task}</b> <span className="font-mono text-[12.5px] text-dim [overflow-wrap:anywhere]">{run.id}</span>
      </p>
      <p className="mt-2">{cancels ? "The run ends as canceled, and so do its children that run. What it has done stays done." : "A new run with the same payload and options."}</p>
      <div className="mt-4 flex justify-end gap-2">
        <Button onClick={onClose}>Leave it</Button>
        <Button kind={cancels ? "danger" : "primary"} onClick={() => void act()}>{cancels ? "Cancel it" : "Replay it"}</Button>
      </div>
    </Dialog>
  );
}
