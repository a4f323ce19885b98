/* The Python tasks as TypeScript types, written as a team would. */

import type { Task } from "@trigger.dev/sdk";

export type Count = Task<"count", { to: number; pause?: number }, number>;
export type Greet = Task<"greet", { name?: string }, string>;
export type Talk = Task<"talk", { words: number; pause?: number }, number>;
export type Word = { n: number; word: string };
