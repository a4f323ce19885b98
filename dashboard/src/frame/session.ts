/* Who is signed in, for every page. */

import { createContext, use } from "react";
import type { Session } from "../api/types.ts";

interface Held {
  session: Session;
  enter: (told: Session) => void;
}

export const SessionContext = createContext<Held | null>(null);

export function useSession(): Held {
  const held = use(SessionContext);
  if (held === null) throw new Error("outside of a session");
  return held;
}

const RANKS = ["viewer", "operator", "developer", "admin"];

/** Whether this person's role is at least that one; a key has no role and may do all. */
export function useMay(role: "operator" | "developer" | "admin"): boolean {
  const { session } = useSession();
  const own = session.environments.find((one) => one.slug === session.environment)?.role;
  return own === undefined || RANKS.indexOf(own) >= RANKS.indexOf(role);
}
