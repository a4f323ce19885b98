/* Reading again what has changed, though an older answer may be on its way. */

import type { QueryClient } from "@tanstack/react-query";

/** Answered once it has been read after this call. To invalidate alone would wait for a first answer that
 * is on its way, and that may have been given before the change. */
export async function renew(queries: QueryClient, queryKey: string[]): Promise<void> {
  await queries.cancelQueries({ queryKey });
  await queries.invalidateQueries({ queryKey });
}
