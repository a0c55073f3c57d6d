/** How far a replay can go with the films that are here, and what it has to ask for. All films shown are asked for from the same task on. */
import { type Film, endOf } from "./film";

export interface Part {
  readonly film: Pick<Film, "bars" | "time_s">;
  readonly loaded: boolean;
  /** What was asked for is not here yet. */
  readonly pending: boolean;
  /** The first task behind those that are here; null: there are none behind them. */
  readonly next: number | null;
}

/** Until when everything is here, and whether nothing comes behind that. */
export function reachOf(parts: readonly Part[]): { readonly until_s: number; readonly isEnd: boolean } {
  const isEnd = parts.every((part) => part.loaded && !part.pending && part.next === null);
  if (isEnd) return { until_s: Math.max(0, ...parts.map(({ film }) => film.bars.reduce((last, bar) => Math.max(last, endOf(bar, film.time_s)), film.time_s))), isEnd };
  const unfinished = parts.filter((part) => !part.loaded || part.next !== null);
  return { until_s: unfinished.length ? Math.min(...unfinished.map(({ film }) => film.time_s)) : 0, isEnd };
}

/**
 * The task from which on more is to be asked for, so that everything until `until_s` is here; null: nothing is to be asked for now. Films may have come
 * differently far: the one that is behind comes first, for it would lose its place if tasks were left out.
 */
export function followingTask(parts: readonly Part[], until_s: number): number | null {
  if (parts.some((part) => part.pending)) return null;
  const ahead = parts.flatMap(({ next, film }) => (next === null ? [] : [{ next, short: film.time_s < until_s }]));
  return ahead.some(({ short }) => short) ? Math.min(...ahead.map(({ next }) => next)) : null;
}
