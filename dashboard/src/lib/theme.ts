/** Light or dark: by the system, or as chosen here; and the colours as canvases need them. */
import { useSyncExternalStore } from "react";

export type Theme = "system" | "light" | "dark";

const KEY = "hms-theme";
const listeners = new Set<() => void>();
let generation = 0;
let resolved = new Map<string, string>();

function changed(): void {
  generation++;
  resolved = new Map();
  for (const listener of listeners) listener();
}

function stored(): Theme {
  try {
    const found = localStorage.getItem(KEY);
    return found === "light" || found === "dark" ? found : "system";
  } catch {
    // A browser that forbids storage forgets the choice; the page works as well.
    return "system";
  }
}

let theme: Theme = "system";

function apply(): void {
  if (theme === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
  changed();
}

export function initTheme(): void {
  theme = stored();
  apply();
  for (const query of ["(prefers-color-scheme: dark)", "(min-width: 2560px)", "(min-width: 3600px)"]) matchMedia(query).addEventListener("change", changed);
}

export function setTheme(next: Theme): void {
  theme = next;
  try {
    if (next === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, next);
  } catch {
    // As above.
  }
  apply();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useTheme(): Theme {
  return useSyncExternalStore(subscribe, () => theme);
}

/** A number that changes whenever colours or the scale do: charts draw anew then. */
export function useColors(): number {
  return useSyncExternalStore(subscribe, () => generation);
}

/** The present value of a custom property, such as `--p0`. */
export function color(variable: string): string {
  let found = resolved.get(variable);
  if (found === undefined) {
    found = getComputedStyle(document.documentElement).getPropertyValue(variable).trim();
    resolved.set(variable, found);
  }
  return found;
}

/** How much larger than usual everything is drawn: screens of 4k are read from farther away. */
export function scale(): number {
  return Number.parseFloat(color("--scale")) || 1;
}
