/** Where the reader is: `#/live?metric=wait`. Everything a view shows can be linked to, so its state lives here. */
import { useCallback, useSyncExternalStore } from "react";

export const VIEWS = ["live", "cluster", "scheduler", "learning", "history", "operations"] as const;
export type View = (typeof VIEWS)[number];

export interface Route {
  readonly view: View;
  readonly params: Readonly<Record<string, string>>;
}

export function parseRoute(hash: string): Route {
  const text = hash.replace(/^#\/?/, "");
  const [path = "", query = ""] = text.split("?", 2);
  const view = VIEWS.find((name) => name === path) ?? "live";
  return { view, params: Object.fromEntries(new URLSearchParams(query)) };
}

export function routeHash(view: View, params: Readonly<Record<string, string | null | undefined>> = {}): string {
  const kept = Object.entries(params).filter((entry): entry is [string, string] => typeof entry[1] === "string" && entry[1] !== "");
  const query = new URLSearchParams(kept.sort(([first], [second]) => (first < second ? -1 : 1))).toString();
  return query ? `#/${view}?${query}` : `#/${view}`;
}

const listeners = new Set<() => void>();
let current: Route | null = null;

function route(): Route {
  current ??= parseRoute(location.hash);
  return current;
}

function moved(): void {
  current = parseRoute(location.hash);
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  if (!listeners.size) {
    addEventListener("hashchange", moved);
    addEventListener("popstate", moved);
  }
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
    if (!listeners.size) {
      removeEventListener("hashchange", moved);
      removeEventListener("popstate", moved);
    }
  };
}

export function useRoute(): Route {
  return useSyncExternalStore(subscribe, route);
}

/** Go to another view; the browser's back button comes back. */
export function go(view: View, params: Readonly<Record<string, string | null | undefined>> = {}): void {
  history.pushState(null, "", routeHash(view, params));
  moved();
}

/** Change parameters of the view at hand, without a new entry in the browser's history; null takes one out. */
export function setParams(changed: Readonly<Record<string, string | null>>): void {
  const { view, params } = route();
  history.replaceState(null, "", routeHash(view, { ...params, ...changed }));
  moved();
}

/** One parameter of the view at hand. What equals the default is left out of the address. */
export function useParam(name: string, usual: string): [string, (value: string) => void] {
  const { params } = useRoute();
  const set = useCallback((value: string) => setParams({ [name]: value === usual ? null : value }), [name, usual]);
  return [params[name] ?? usual, set];
}
