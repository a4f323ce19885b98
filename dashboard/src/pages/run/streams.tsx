/* What a run writes to its streams: the chunks of one of them, and more as they come. */

import { useInfiniteQuery } from "@tanstack/react-query";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef, useState } from "react";
import { call, chosenEnvironment } from "../../api/call.ts";
import { isFinal, type Run } from "../../api/types.ts";
import { Button, CopyButton } from "../../ui/controls.tsx";
import { Failure, Loading } from "../../ui/say.tsx";

type Chunk = [number: number, data: string, at: number, epoch: number];
interface StreamPage {
  chunks: Chunk[];
  next: number;
  ended?: boolean;
}

const PAGE = 1_000;
const PAUSE_MS = 700;

export function Streams({ run }: { run: Run }) {
  const [name, setName] = useState(run.streams[0] ?? "");
  if (run.streams.length === 0) return <p className="p-6 text-center text-dim">The run has written to no stream.</p>;
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <div role="group" aria-label="Streams" className="flex flex-wrap gap-1 p-2">
        {run.streams.map((one) => (
          <Button key={one} kind={one === name ? "plain" : "ghost"} aria-pressed={one === name} onClick={() => setName(one)}>{one}</Button>
        ))}
      </div>
      <Chunks key={name} run={run} name={name} />
    </div>
  );
}

function Chunks({ run, name }: { run: Run; name: string }) {
  const scroller = useRef<HTMLDivElement>(null);
  const found = useInfiniteQuery({
    queryKey: ["stream", chosenEnvironment(), run.id, name],
    queryFn: ({ pageParam }) => call<StreamPage>("read_stream", { run_id: run.id, stream: name, first: pageParam, limit: PAGE }),
    initialPageParam: 0,
    getNextPageParam: (page) => (page.ended && page.chunks.length === 0 ? undefined : page.next),
    staleTime: Number.POSITIVE_INFINITY,
  });
  const { hasNextPage, isFetching, fetchNextPage } = found;
  const pages = found.data?.pages;
  const full = (pages?.at(-1)?.chunks.length ?? 0) > 0;
  // what was read before the end was known may lack the last chunks, so that one more look is taken
  const ended = useRef(0);
  if (isFinal(run.status)) ended.current ||= Date.now();
  const over = ended.current > 0 && !full && (!hasNextPage || found.dataUpdatedAt > ended.current + PAUSE_MS);
  useEffect(() => {
    if (!hasNextPage || isFetching || over) return;
    const id = setTimeout(() => void fetchNextPage(), full ? 0 : PAUSE_MS);
    return () => clearTimeout(id);
  }, [hasNextPage, isFetching, fetchNextPage, over, full]);
  const chunks = useMemo(() => pages?.flatMap((page) => page.chunks) ?? [], [pages]);
  const list = useVirtualizer({ count: chunks.length, getScrollElement: () => scroller.current, estimateSize: () => 24, overscan: 20 });
  if (found.error) return <Failure error={found.error} retry={() => void found.refetch()} />;
  if (found.isPending) return <Loading />;
  return (
    <>
      <div className="flex items-center justify-between px-3 text-dim">
        <span role="status" className="num">{chunks.length} {chunks.length === 1 ? "chunk" : "chunks"}{over ? "" : ", live"}</span>
        <CopyButton text={chunks.map(([, data]) => data).join("\n")} label="Copy all chunks" />
      </div>
      <div ref={scroller} tabIndex={0} role="log" aria-live="off" aria-label={`Chunks of ${name}`} className="min-h-40 flex-1 overflow-auto font-mono text-[12.5px]">
        <div className="relative" style={{ height: list.getTotalSize() }}>
          {list.getVirtualItems().map((item) => {
            const chunk = chunks[item.index];
            return (
              chunk && (
                <div key={chunk[0]} ref={list.measureElement} data-index={item.index} className="absolute inset-x-0 flex gap-3 px-3 py-0.5 hover:bg-raised" style={{ top: item.start }}>
                  <span className="num w-10 shrink-0 text-right text-dim">{chunk[0]}</span>
                  <span className="min-w-0 whitespace-pre-wrap [overflow-wrap:anywhere]">{chunk[1]}</span>
                </div>
              )
            );
          })}
        </div>
      </div>
    </>
  );
}
