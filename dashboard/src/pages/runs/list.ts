/* The rows of the list: pages that are read by cursor, patched by what the socket tells. */

import { type InfiniteData, useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { call, chosenEnvironment } from "../../api/call.ts";
import { type Brief, live, statusOf } from "../../api/live.ts";
import type { Run, RunPage } from "../../api/types.ts";
import { filterOf, type Search } from "./filter.ts";

const PAGE = 100;
/** What is new is read at once, then at most so often. */
const PAUSE_MS = 700;
const AT_ONCE_MS = 50;
type Pages = InfiniteData<RunPage, string | undefined>;

export function useRuns(search: Search, atTop: () => boolean) {
  const queries = useQueryClient();
  const key = useMemo(() => ["runs", chosenEnvironment(), JSON.stringify(search)], [search]);
  const query = useInfiniteQuery({
    queryKey: key,
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam }) => call<RunPage>("list", { filter: { ...filterOf(search, Date.now()), limit: PAGE, after: pageParam } }),
    getNextPageParam: (page) => page.next ?? undefined,
    refetchOnWindowFocus: false,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 60_000,
  });
  const [fresh, setFresh] = useState<Run[]>([]);
  const known = useRef(new Set<string>());
  const runs = useMemo(() => query.data?.pages.flatMap((page) => page.runs) ?? [], [query.data]);
  known.current = useMemo(() => new Set(runs.map((run) => run.id)), [runs]);

  /** Puts newer rows before the others. */
  const insert = useCallback(
    (rows: Run[]) =>
      queries.setQueryData<Pages>(key, (held) => {
        const first = held?.pages[0];
        if (!held || !first) return held;
        const there = new Set(held.pages.flatMap((page) => page.runs.map((run) => run.id)));
        const added = rows.filter((run) => !there.has(run.id));
        return { ...held, pages: [{ ...first, runs: [...added, ...first.runs] }, ...held.pages.slice(1)] };
      }),
    [queries, key],
  );
  const show = useCallback(() => {
    insert(fresh);
    setFresh([]);
  }, [insert, fresh]);

  useEffect(() => {
    setFresh([]);
    let timer = 0;
    let asking = false;
    let missed = false;
    let looked = 0;
    let over = false;
    /** Reads what is new, at most so often, and puts it in if that moves nothing under the reader. */
    const look = async () => {
      timer = 0;
      asking = true;
      looked = performance.now();
      try {
        const page = await call<RunPage>("list", { filter: { ...filterOf(search, Date.now()), limit: PAGE } });
        const newer = page.runs.filter((run) => !known.current.has(run.id));
        const held = page.runs.filter((run) => known.current.has(run.id));
        patch(queries, key, new Map(held.map((run) => [run.id, run])));
        if (newer.length === page.runs.length && known.current.size > 0 && newer.length === PAGE) {
          await queries.resetQueries({ queryKey: key });
        } else if (newer.length > 0 && (known.current.size === 0 || (atTop() && document.hasFocus()))) {
          insert(newer);
          setFresh([]);
        } else {
          setFresh(newer);
        }
      } catch {
        // the next change asks again
      } finally {
        asking = false;
        if (missed) soon();
        missed = false;
      }
    };
    const soon = () => {
      missed = asking;
      if (over) return;
      const rest = Math.max(AT_ONCE_MS, looked + PAUSE_MS - performance.now());
      if (timer === 0 && !asking) timer = setTimeout(() => void look(), rest);
    };
    const stop = live.subscribe(
      { topic: "list" },
      {
        again: soon,
        runs: (briefs) => {
          patch(queries, key, new Map(briefs.map((brief) => [brief.id, changes(brief)])));
          if (briefs.some((brief) => !known.current.has(brief.id))) soon();
        },
      },
    );
    return () => {
      over = true;
      clearTimeout(timer);
      stop();
    };
  }, [queries, key, search, insert, atTop]);

  return { ...query, runs, fresh: fresh.length, show };
}

/** What a row of the socket says, in the words of a row of the list. */
function changes(brief: Brief): Partial<Run> {
  return {
    status: statusOf(brief),
    started_at: brief.startedAt ? Date.parse(brief.startedAt) : null,
    finished_at: brief.finishedAt ? Date.parse(brief.finishedAt) : null,
    active_ms: brief.durationMs,
    tags: brief.tags,
  };
}

function patch(queries: ReturnType<typeof useQueryClient>, key: unknown[], changed: Map<string, Partial<Run>>): void {
  queries.setQueryData<Pages>(key, (held) => {
    if (!held || !held.pages.some((page) => page.runs.some((run) => changed.has(run.id)))) return held;
    const pages = held.pages.map((page) =>
      page.runs.some((run) => changed.has(run.id))
        ? { ...page, runs: page.runs.map((run) => (changed.has(run.id) ? { ...run, ...changed.get(run.id) } : run)) }
        : page,
    );
    return { ...held, pages };
  });
}
