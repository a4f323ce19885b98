/* Lists that this browser remembers, such as saved views. */

import { useState } from "react";

/** A list under a name of the local storage, and how to replace it. What cannot be read is nothing. */
export function useKept<T>(name: string): [T[], (next: T[]) => void] {
  const key = `mainspring-${name}`;
  const [kept, setKept] = useState<T[]>(() => {
    try {
      const found: unknown = JSON.parse(localStorage.getItem(key) ?? "[]");
      return Array.isArray(found) ? found : [];
    } catch {
      return [];
    }
  });
  const keep = (next: T[]) => {
    localStorage.setItem(key, JSON.stringify(next));
    setKept(next);
  };
  return [kept, keep];
}
