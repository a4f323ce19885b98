/* The lines of a run, live, searched as one types; only the lines that are seen are there. */

import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, useEffect, useMemo, useRef, useState } from "react";
import { live } from "../../api/live.ts";
import type { Line } from "../../api/types.ts";

const COLORS: Record<string, string> = { error: "text-bad", fatal: "text-bad", warn: "text-wait", warning: "text-wait", debug: "text-dim", trace: "text-dim" };
const LEVELS = ["all", "info", "warn", "error"] as const;
const RANK: Record<string, number> = { trace: 0, debug: 0, info: 1, log: 1, warn: 2, warning: 2, error: 3, fatal: 3 };
const FRAME_MS = 100;
/** Pixels of a line that is not broken: what is measured otherwise moves all that come after it. */
const LINE = 22;
/** Lines that are there before and after those that are seen. */
const BEYOND = 10;

export function useLines(run: string): Line[] {
  const [lines, setLines] = useState<Line[]>([]);
  useEffect(() => {
    let all: Line[] = [];
    let timer = 0;
    let last = 0;
    setLines([]);
    const stop = live.subscribe(
      { topic: "logs", run },
      {
        lines: (more) => {
          const fresh = more.filter((line) => line.seq > last);
          last = fresh.at(-1)?.seq ?? last;
          all = all.concat(fresh);
          timer ||= setTimeout(() => {
            timer = 0;
            setLines(all);
          }, FRAME_MS);
        },
      },
    );
    return () => {
      clearTimeout(timer);
      stop();
    };
  }, [run]);
  return lines;
}

export function Logs({ lines }: { lines: Line[] }) {
  const scroller = useRef<HTMLDivElement>(null);
  const [text, setText] = useState("");
  const [level, setLevel] = useState<(typeof LEVELS)[number]>("all");
  const following = useRef(true);
  const last = useRef(0);
  const shown = useMemo(() => {
    const wanted = text.toLowerCase();
    const least = level === "all" ? 0 : (RANK[level] ?? 0);
    return lines.filter((line) => (RANK[line.level.toLowerCase()] ?? 1) >= least && (!wanted || `${line.message} ${line.data === undefined ? "" : JSON.stringify(line.data)}`.toLowerCase().includes(wanted)));
  }, [lines, text, level]);
  const list = useVirtualizer({ count: shown.length, getScrollElement: () => scroller.current, estimateSize: () => LINE, overscan: BEYOND });
  useEffect(() => {
    if (following.current && shown.length) list.scrollToIndex(shown.length - 1, { align: "end" });
  }, [shown.length, list]);
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <div className="flex gap-2 p-2">
        <input type="search" aria-label="Find in the log" placeholder="Find in the log" className="field" value={text} onChange={(event) => setText(event.target.value)} />
        <select aria-label="Least level" className="field w-auto!" value={level} onChange={(event) => setLevel(event.target.value as (typeof LEVELS)[number])}>
          {LEVELS.map((one) => (
            <option key={one} value={one}>{one === "all" ? "every level" : `${one} and above`}</option>
          ))}
        </select>
      </div>
      <p className="sr-only" role="status">{shown.length} lines</p>
      {shown.length === 0 && <p className="px-4 py-6 text-center text-dim">{lines.length ? "No line matches." : "The run has written nothing."}</p>}
      <div
        ref={scroller}
        className="min-h-40 flex-1 overflow-auto font-mono text-[12.5px] leading-[18px]"
        tabIndex={0}
        aria-label="Log"
        role="log"
        aria-live="off"
        onScroll={(event) => {
          const { scrollHeight, scrollTop, clientHeight } = event.currentTarget;
          // lines may have come since it was scrolled to what was the end: only upwards leads away from it
          following.current = scrollHeight - scrollTop - clientHeight < 30 || (following.current && scrollTop >= last.current);
          last.current = scrollTop;
        }}
      >
        <div className="relative" style={{ height: list.getTotalSize() }}>
          {list.getVirtualItems().map((item) => {
            const line = shown[item.index];
            return line && <Row key={line.seq} line={line} index={item.index} top={item.start} measure={list.measureElement} />;
          })}
        </div>
      </div>
    </div>
  );
}

interface RowProps {
  line: Line;
  index: number;
  top: number;
  measure: (element: Element | null) => void;
}

const Row = memo(function Row({ line, index, top, measure }: RowProps) {
  const level = line.level.toLowerCase();
  return (
    <div ref={measure} data-index={index} className="absolute inset-x-0 flex gap-3 px-3 py-0.5 hover:bg-raised" style={{ top }}>
      <time className="num shrink-0 text-dim" dateTime={line.time} title={line.time}>{line.time.slice(11, 23)}</time>
      <span className={`w-14 shrink-0 ${COLORS[level] ?? "text-busy"}`}>{level}</span>
      <span className="min-w-0 whitespace-pre-wrap [overflow-wrap:anywhere]">
        {line.message}
        {line.data !== undefined && <span className="ml-2 text-dim">{JSON.stringify(line.data)}</span>}
      </span>
    </div>
  );
});
