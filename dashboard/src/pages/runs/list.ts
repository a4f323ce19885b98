/* The rows of the list: pages that are read by cursor, patched by what the socket tells. */

import { type InfiniteData, useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { call, chosenEnvironment } from "../../api/call.ts";
import { briefly, live } from "../../api/live.ts";
import { paced } from "../../api/paced.ts";
import { renew } from "../../api/renew.ts";
import type { Run, RunPage } from "../../api/types.ts";
import { filterOf, type Search } from "./filter.ts";

const PAGE = 100;
/** What is new is read at once, then at most so often. */
const PAUSE_MS = 200;
const NOTHING: RunPage = { runs: [], next: null, previous: null };
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
  const [fresh, setFresh] = useState<RunPage>(NOTHING);
  const known = useRef(new Set<string>());
  const runs = useMemo(() => query.data?.pages.flatMap((page) => page.runs) ?? [], [query.data]);
  known.current = useMemo(() => new Set(runs.map((run) => run.id)), [runs]);

  /** Puts newer rows before the others; in their place when rows between them may not be known. */
  const insert = useCallback(
    (page: RunPage) =>
      queries.setQueryData<Pages>(key, (held) => {
        const first = held?.pages[0];
        if (!held || !first) return held;
        const there = new Set(held.pages.flatMap((one) => one.runs.map((run) => run.id)));
        const added = page.runs.filter((run) => !there.has(run.id));
        if (added.length === PAGE) return { pages: [page], pageParams: [undefined] };
        return { ...held, pages: [{ ...first, runs: [...added, ...first.runs] }, ...held.pages.slice(1)] };
      }),
    [queries, key],
  );
  const show = useCallback(() => {
    insert(fresh);
    setFresh(NOTHING);
  }, [insert, fresh]);

  useEffect(() => {
    setFresh(NOTHING);
    let over = false;
    /** Reads what is new and puts it in if that moves nothing under the reader. */
    const look = paced(PAUSE_MS, async () => {
      if (queries.getQueryData(key) === undefined) return renew(queries, key);
      const page = await call<RunPage>("list", { filter: { ...filterOf(search, Date.now()), limit: PAGE } });
      if (over) return;
      const newer = page.runs.filter((run) => !known.current.has(run.id));
      const held = page.runs.filter((run) => known.current.has(run.id));
      patch(queries, key, new Map(held.map((run) => [run.id, run])));
      if (newer.length > 0 && (known.current.size === 0 || (atTop() && document.hasFocus()))) {
        insert(page);
        setFresh(NOTHING);
      } else {
        setFresh({ ...page, runs: newer });
      }
    });
    const stop = live.subscribe(
      { topic: "list" },
      {
        again: look.soon,
        runs: (briefs) => {
          patch(queries, key, new Map(briefs.map((brief) => [brief.id, briefly(brief)])));
          if (briefs.some((brief) => !known.current.has(brief.id))) look.soon();
        },
      },
    );
    return () => {
      over = true;
      look.stop();
      stop();
    };
  }, [queries, key, search, insert, atTop]);

  return { ...query, runs, fresh: fresh.runs.length, show };
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
