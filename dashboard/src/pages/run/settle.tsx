/* How a run goes on whose code is not what its journal tells any more. */

import { useState } from "react";
import { useAsk } from "../../api/ask.ts";
import { call } from "../../api/call.ts";
import type { Deployment, JournalLine, Run, RunError } from "../../api/types.ts";
import { Button, Dialog } from "../../ui/controls.tsx";
import { parsed } from "../../ui/json.tsx";
import { say, sayFailure } from "../../ui/say.tsx";

const WAYS = [
  ["accept", "Take the stored result", "The code goes on with what was done then, in spite of the difference."],
  ["restart", "Do it again from there", "This entry and all after it are forgotten and done anew; what came before stays."],
  ["pin", "Leave it to the old code", "Only workers of the version below execute this run from now on."],
  ["fail", "Let it fail", "The run ends as failed."],
] as const;
type Way = (typeof WAYS)[number][0];

export function Settle({ run, line, onClose }: { run: Run; line: JournalLine; onClose: () => void }) {
  const [way, setWay] = useState<Way>("accept");
  const [version, setVersion] = useState(run.version);
  const known = useAsk<{ deployments: Deployment[] }>("deployments", { limit: 25 }, { enabled: way === "pin" });
  const error = line.data ? (parsed(line.data) as RunError) : null;
  const settle = () => {
    const pinned = way === "pin" ? { version: version.trim() } : {};
    call("settle", { run_id: run.id, action: way, ...pinned }).then(() => say("It is settled."), sayFailure).finally(onClose);
  };
  return (
    <Dialog title="How does it go on?" onClose={onClose} wide>
      <p>
        From <code className="font-mono text-[13px] [overflow-wrap:anywhere]">{line.key}</code> on the code asks for something else than it did when this was recorded, so nothing was guessed.
      </p>
      {error?.message && <p className="mt-3 rounded-md border border-line bg-bg px-3 py-2 font-mono text-[12.5px] whitespace-pre-wrap [overflow-wrap:anywhere]">{error.message}</p>}
      <fieldset className="mt-4 grid gap-2">
        <legend className="sr-only">Way</legend>
        {WAYS.map(([value, word, what]) => (
          <label key={value} className={`flex cursor-pointer gap-3 rounded-lg border p-3 ${way === value ? "border-accent bg-accent-soft" : "border-line hover:bg-raised"}`}>
            <input type="radio" name="way" value={value} checked={way === value} onChange={() => setWay(value)} className="mt-0.5 size-4 accent-(--accent)" />
            <span>
              <span className="block font-medium">{word}</span>
              <span className="block text-dim">{what}</span>
            </span>
          </label>
        ))}
      </fieldset>
      {way === "pin" && (
        <>
          <label className="mt-3 block">
            <span className="font-medium">Version</span>
            <input className="field mt-1 font-mono" list="versions" value={version} onChange={(event) => setVersion(event.target.value)} />
          </label>
          <datalist id="versions">{known.data?.deployments.map((one) => <option key={one.id}>{one.version}</option>)}</datalist>
        </>
      )}
      <div className="mt-4 flex justify-end gap-2">
        <Button onClick={onClose}>Leave it waiting</Button>
        <Button kind={way === "fail" ? "danger" : "primary"} disabled={way === "pin" && !version.trim()} onClick={settle}>{way === "fail" ? "Let it fail" : "Go on so"}</Button>
      </div>
    </Dialog>
  );
}
