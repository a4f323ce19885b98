/* The error of a run: what it says, the places it came through, and the text of the traceback. */

import { useState } from "react";
import type { RunError } from "../../api/types.ts";
import { Button, CopyButton } from "../../ui/controls.tsx";

interface Frame {
  file: string;
  line: string;
  name: string;
  code: string[];
  own: boolean;
}

/** Python's own library, installed packages, and the platform, which are not where to look first. */
const FOREIGN = /site-packages|dist-packages|[/\\]lib[/\\]python|<frozen|[/\\]mainspring[/\\]/;
const MARKS = /^\s*[~^]+\s*$/;

/** The places of a Python traceback, the outermost first; none when it is not one. */
export function framesOf(stack: string): Frame[] {
  const frames: Frame[] = [];
  for (const line of stack.split("\n")) {
    const found = line.match(/^\s*File "(.+)", line (\d+)(?:, in (.+))?$/);
    if (found) frames.push({ file: found[1] ?? "", line: found[2] ?? "", name: found[3] ?? "", code: [], own: !FOREIGN.test(found[1] ?? "") });
    else if (/^\s{4,}/.test(line)) frames.at(-1)?.code.push(line.slice(4));
  }
  return frames;
}

export function ErrorView({ error }: { error: RunError }) {
  const frames = error.stack ? framesOf(error.stack) : [];
  const [raw, setRaw] = useState(frames.length === 0);
  return (
    <div className="p-3">
      <div className="rounded-lg border border-bad bg-bad-soft p-3">
        <p className="font-mono font-semibold text-bad">{error.name ?? "Error"}</p>
        <p className="mt-0.5 whitespace-pre-wrap [overflow-wrap:anywhere]">{error.message}</p>
      </div>
      {error.stack && (
        <section aria-label="Traceback" className="mt-3">
          <div className="mb-1 flex items-center justify-between gap-2">
            <h3 className="font-semibold">Where it came from</h3>
            <span className="flex gap-1">
              {frames.length > 0 && <Button kind="ghost" aria-pressed={raw} onClick={() => setRaw(!raw)}>As text</Button>}
              <CopyButton text={error.stack} label="Copy the stack" />
            </span>
          </div>
          {raw ? (
            <pre tabIndex={0} className="overflow-x-auto rounded-lg border border-line bg-bg p-3 font-mono text-[12.5px] leading-5">{error.stack.trimEnd()}</pre>
          ) : (
            <ol className="overflow-hidden rounded-lg border border-line">
              {frames.toReversed().map((frame, index) => <Place key={index} frame={frame} />)}
            </ol>
          )}
        </section>
      )}
    </div>
  );
}

/** A place with its line of source; marks below it say which part of the line failed. */
function Place({ frame }: { frame: Frame }) {
  return (
    <li className={`border-b border-line last:border-0 ${frame.own ? "bg-panel" : "bg-bg"}`}>
      <p className="px-3 pt-1.5 text-[12.5px] [overflow-wrap:anywhere]">
        <span className={frame.own ? "font-medium" : "text-dim"}>{frame.name}</span> <span className="text-dim">{frame.file}, line <span className="num">{frame.line}</span></span>
      </p>
      <div className="flex gap-3 px-3 pb-1.5 font-mono text-[12.5px] leading-5">
        <span className="text-dim select-none" aria-hidden="true">{frame.line}</span>
        <pre className="min-w-0 overflow-x-auto" tabIndex={0} aria-label={`Line ${frame.line}`} role="group">
          {frame.code.map((text, index) => <div key={index} className={MARKS.test(text) ? "text-bad" : frame.own ? "" : "text-dim"}>{text || " "}</div>)}
        </pre>
      </div>
    </li>
  );
}
