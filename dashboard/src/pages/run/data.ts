/* One run, its trace, and why it waits; read again whenever the socket says that something moved. */

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { call, chosenEnvironment } from "../../api/call.ts";
import { briefly, type Brief, live } from "../../api/live.ts";
import { paced } from "../../api/paced.ts";
import { renew } from "../../api/renew.ts";
import { type Explanation, isFinal, type RunDetail, type Status, type Trace } from "../../api/types.ts";

const RUN_MS = 150;
const TRACE_MS = 800;
const STUCK = new Set<Status>(["queued", "delayed", "pending_version", "waiting"]);

export function useRun(id: string) {
  const queries = useQueryClient();
  const env = chosenEnvironment();
  const run = useQuery({ queryKey: ["run", env, id], queryFn: () => call<RunDetail>("inspect", { run_id: id }) });
  const trace = useQuery({ queryKey: ["trace", env, id], queryFn: () => call<Trace>("trace", { run_id: id }), placeholderData: (held) => held });
  const status = run.data?.run.status;
  const stuck = status !== undefined && STUCK.has(status);
  const explained = useQuery({
    queryKey: ["explain", env, id, status],
    queryFn: () => call<Explanation>("explain", { run_id: id }),
    enabled: stuck,
    refetchInterval: stuck ? 3_000 : false,
  });

  const over = status !== undefined && isFinal(status);
  useEffect(() => {
    const again = paced(RUN_MS, () => renew(queries, ["run", env, id]));
    const retrace = paced(TRACE_MS, () => renew(queries, ["trace", env, id]));
    const changed = () => {
      again.soon();
      retrace.soon();
    };
    /** What it says is shown at once; the rest is read. */
    const told = ([brief]: Brief[]) => {
      if (brief) queries.setQueryData<RunDetail>(["run", env, id], (held) => held && { ...held, run: { ...held.run, ...briefly(brief) } });
      changed();
    };
    const stops = [
      live.subscribe({ topic: "run", run: id }, { runs: told, again: changed }),
      // children are runs of their own: while there may be more, any change may be one of theirs
      ...(over ? [] : [live.subscribe({ topic: "list" }, { runs: retrace.soon })]),
    ];
    return () => {
      for (const stop of [...stops, again.stop, retrace.stop]) stop();
    };
  }, [queries, env, id, over]);

  return { run, trace, explained: stuck ? explained.data : undefined };
}
