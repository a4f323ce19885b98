/* The answer that a run waits for: yes or no with a comment, or any other value. */

import { useState } from "react";
import { call } from "../../api/call.ts";
import { Button, Dialog } from "../../ui/controls.tsx";
import { say, sayFailure } from "../../ui/say.tsx";
import { JsonField, problem } from "./actions.tsx";

interface Props {
  token: string;
  /** Whose answer it is, for those who hear of the buttons alone. */
  of?: string;
  disabled?: boolean;
  done: () => void;
}

export function Decide({ token, of = "", disabled = false, done }: Props) {
  const [text, setText] = useState("{}");
  const [comment, setComment] = useState("");
  const wrong = problem(text);
  const complete = (output: unknown, told: string) => {
    call("complete_token", { token_id: token, output: JSON.stringify(output) }).then(() => say(told), sayFailure).finally(done);
  };
  const decide = (approved: boolean) =>
    complete(comment.trim() ? { approved, comment: comment.trim() } : { approved }, approved ? "Approved; the run goes on." : "Declined; the run goes on with that.");
  return (
    <>
      <div className="flex flex-wrap items-end gap-2">
        <label className="min-w-40 basis-full md:flex-1 md:basis-0">
          <span className="font-medium">Comment</span>
          <input className="field mt-1" placeholder="Goes along with either answer" value={comment} onChange={(event) => setComment(event.target.value)} />
        </label>
        <Button kind="primary" icon="check" disabled={disabled} aria-label={of && `Approve ${of}`} className="max-md:flex-1" onClick={() => decide(true)}>Approve</Button>
        <Button icon="close" disabled={disabled} aria-label={of && `Decline ${of}`} className="text-bad max-md:flex-1" onClick={() => decide(false)}>Decline</Button>
      </div>
      <details className="mt-3">
        <summary className="text-dim">Another value</summary>
        <div className="mt-2">
          <JsonField label="Value" text={text} change={setText} wrong={wrong} />
          <div className="mt-1 flex justify-end">
            <Button disabled={disabled || wrong !== ""} onClick={() => complete(JSON.parse(text), "The token is completed.")}>Complete</Button>
          </div>
        </div>
      </details>
    </>
  );
}

/** The same over the page. */
export function CompleteToken({ id, onClose }: { id: string; onClose: () => void }) {
  return (
    <Dialog title="Complete the token" onClose={onClose} wide>
      <p className="mb-3 text-dim">
        Whoever waits for <code className="font-mono text-[13px] [overflow-wrap:anywhere]">{id}</code> goes on with your answer.
      </p>
      <Decide token={id} done={onClose} />
    </Dialog>
  );
}
