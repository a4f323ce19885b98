/* Queries of the other pages: read when shown, again when runs move, and after every change. */

import { type UseQueryResult, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { sayFailure } from "../ui/say.tsx";
import { call, chosenEnvironment } from "./call.ts";
import { live } from "./live.ts";
import { paced } from "./paced.ts";
import { renew } from "./renew.ts";

const PAUSE_MS = 1_000;

/** The answer of a call. With `follow` it is asked again, at most once a second, while runs change. */
export function useAsk<T>(type: string, fields: object = {}, { follow = false, every = 0, enabled = true } = {}): UseQueryResult<T> {
  const queries = useQueryClient();
  const key = ["ask", chosenEnvironment(), type, JSON.stringify(fields)];
  const told = key.join("\0");
  useEffect(() => {
    if (!follow) return;
    const again = paced(PAUSE_MS, () => renew(queries, told.split("\0")), PAUSE_MS);
    const leave = live.subscribe({ topic: "list" }, { runs: again.soon, again: again.soon });
    return () => {
      again.stop();
      leave();
    };
  }, [queries, told, follow]);
  return useQuery({ queryKey: key, queryFn: () => call<T>(type, fields), refetchInterval: every || false, enabled, placeholderData: (held) => held });
}

/** Does something and reads everything anew; a failure is said. True when it went well. */
export function useAct(): (act: () => Promise<unknown>) => Promise<boolean> {
  const queries = useQueryClient();
  return async (act) => {
    try {
      await act();
      return true;
    } catch (error) {
      sayFailure(error);
      return false;
    } finally {
      void renew(queries, ["ask"]);
    }
  };
}
