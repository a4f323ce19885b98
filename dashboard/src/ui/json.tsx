/* JSON as a tree that opens where one looks. Large lists are shown in part. */

import { useState } from "react";
import { CopyButton } from "./controls.tsx";
import { Icon } from "./icons.tsx";

const FIRST = 100;

export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

export const pretty = (text: string): string => {
  const value = parsed(text);
  return typeof value === "string" && value === text ? text : JSON.stringify(value, null, 2);
};

export function JsonBlock({ text, label }: { text: string; label: string }) {
  const value = parsed(text);
  return (
    <section aria-label={label} className="relative rounded-lg border border-line bg-bg">
      <div className="absolute top-1 right-1">
        <CopyButton text={pretty(text)} label={`Copy ${label.toLowerCase()}`} />
      </div>
      <div className="overflow-x-auto p-3 pr-10 font-mono text-[12.5px] leading-5">
        <Value value={value} depth={0} />
      </div>
    </section>
  );
}

function Value({ value, name, depth }: { value: unknown; name?: string; depth: number }) {
  const [open, setOpen] = useState(depth < 3);
  const [count, setCount] = useState(FIRST);
  const label = name === undefined ? null : <span className="text-busy">{name}: </span>;
  if (value === null || typeof value !== "object") {
    return (
      <div className="whitespace-pre-wrap [overflow-wrap:anywhere]">
        {label}
        <Leaf value={value} />
      </div>
    );
  }
  const list = Array.isArray(value);
  const entries = list ? value.map((one, index) => [String(index), one] as const) : Object.entries(value);
  if (entries.length === 0) {
    return (
      <div>
        {label}
        {list ? "[]" : "{}"}
      </div>
    );
  }
  return (
    <div>
      <button type="button" aria-expanded={open} onClick={() => setOpen(!open)} className="flex items-center gap-0.5 rounded text-left hover:bg-raised">
        <Icon name="caret" className={`size-3! text-dim ${open ? "rotate-90" : ""}`} />
        {label}
        <span className="text-dim">{list ? `[${entries.length}]` : open ? "{" : `{…} ${entries.length}`}</span>
      </button>
      {open && (
        <div className="ml-1.5 border-l border-line pl-3.5">
          {entries.slice(0, count).map(([key, one]) => (
            <Value key={key} name={key} value={one} depth={depth + 1} />
          ))}
          {entries.length > count && (
            <button type="button" className="text-accent hover:underline" onClick={() => setCount(count * 4)}>
              {entries.length - count} more
            </button>
          )}
        </div>
      )}
    </div>
  );
}

function Leaf({ value }: { value: unknown }) {
  if (typeof value === "string") return <span className="text-good">{JSON.stringify(value)}</span>;
  if (typeof value === "number") return <span className="text-wait">{String(value)}</span>;
  return <span className="text-dim">{String(value)}</span>;
}
