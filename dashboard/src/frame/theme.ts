/* Light or dark: as the system says, until somebody chooses. A cookie tells the server, whose page then
   comes in that theme. */

import { useSyncExternalStore } from "react";

const watchers = new Set<() => void>();
const system = matchMedia("(prefers-color-scheme: dark)");

const isDark = () => {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : system.matches;
};

export const useDark = () =>
  useSyncExternalStore((told) => {
    watchers.add(told);
    system.addEventListener("change", told);
    return () => {
      watchers.delete(told);
      system.removeEventListener("change", told);
    };
  }, isDark);

export function switchTheme(): void {
  const theme = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  const path = new URL(document.baseURI).pathname;
  document.cookie = `mainspring-theme=${theme}; path=${path}; max-age=31536000; samesite=lax`;
  for (const told of watchers) told();
}
