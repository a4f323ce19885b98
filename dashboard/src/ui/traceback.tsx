/* A traceback: the places that an error came through, with their lines of source, or its text. */

import { useState } from "react";
import { Button, CopyButton } from "./controls.tsx";

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
function framesOf(stack: string): Frame[] {
  const frames: Frame[] = [];
  for (const line of stack.split("\n")) {
    const found = line.match(/^\s*File "(.+)", line (\d+)(?:, in (.+))?$/);
    if (found) frames.push({ file: found[1] ?? "", line: found[2] ?? "", name: found[3] ?? "", code: [], own: !FOREIGN.test(found[1] ?? "") });
    else if (/^\s{4,}/.test(line)) frames.at(-1)?.code.push(line.slice(4));
  }
  return frames;
}

export function Traceback({ stack }: { stack: string }) {
  const frames = framesOf(stack);
  const [raw, setRaw] = useState(frames.length === 0);
  return (
    <section aria-label="Traceback">
      <div className="mb-1 flex items-center justify-between gap-2">
        <h2 className="font-semibold">Where it came from</h2>
        <span className="flex gap-1">
          {frames.length > 0 && <Button kind="ghost" aria-pressed={raw} onClick={() => setRaw(!raw)}>As text</Button>}
          <CopyButton text={stack} label="Copy the traceback" />
        </span>
      </div>
      {raw ? (
        <pre tabIndex={0} className="overflow-x-auto rounded-lg border border-line bg-panel p-3 font-mono text-[12.5px] leading-5">{stack.trimEnd()}</pre>
      ) : (
        <ol className="overflow-hidden rounded-lg border border-line">
          {frames.toReversed().map((frame, index) => <Place key={index} frame={frame} />)}
        </ol>
      )}
    </section>
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
