/** Reading from the service in a view: loading, data that stays while newer data is on its way, errors, and a clock that stands still in a hidden tab. */
import { useCallback, useEffect, useRef, useState } from "react";
import { AwayError, get } from "./http";
import { AWAY_AGAIN_S, pauseAfter } from "./pace";

export interface Answer<T> {
  /** Of the same resource; while another query is on its way, that of the one before. */
  readonly data: T | null;
  readonly error: unknown;
  readonly loading: boolean;
  /** What is shown is older than what was asked for last. */
  readonly stale: boolean;
  readonly reload: () => void;
}

export interface ApiOptions {
  readonly query?: Readonly<Record<string, string | number | boolean | null | undefined>>;
  /** Ask again so often, or less often where answers take long; not while the tab is hidden. */
  readonly every_s?: number;
}

/** Ask for `path`; null asks for nothing. */
export function useApi<T>(path: string | null, options: ApiOptions = {}): Answer<T> {
  const { query, every_s } = options;
  const key = path === null ? null : `${path}?${JSON.stringify(query ?? {})}`;
  const [state, setState] = useState<{ key: string | null; path: string | null; data: T | null; error: unknown; loading: boolean }>({
    key: null,
    path: null,
    data: null,
    error: null,
    loading: false,
  });
  const [turn, setTurn] = useState(0);
  const wanted = useRef(query);
  wanted.current = query;

  useEffect(() => {
    if (key === null || path === null) return;
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let waiting = false;

    const again = (pause_s: number): void => {
      timer = setTimeout(() => {
        if (document.hidden) waiting = true;
        else void ask();
      }, pause_s * 1000);
    };
    const ask = async (): Promise<void> => {
      setState((before) => ({ ...before, loading: true }));
      const began = performance.now();
      let isAway = false;
      try {
        const data = await get<T>(path, wanted.current, abort.signal);
        if (!abort.signal.aborted) setState({ key, path, data, error: null, loading: false });
      } catch (error) {
        isAway = error instanceof AwayError;
        if (!abort.signal.aborted) setState((before) => ({ key, path, data: before.key === key ? before.data : null, error, loading: false }));
      }
      if (abort.signal.aborted) return;
      if (isAway) again(Math.min(every_s ?? AWAY_AGAIN_S, AWAY_AGAIN_S));
      else if (every_s !== undefined) again(pauseAfter(every_s, (performance.now() - began) / 1000));
    };
    const seen = (): void => {
      if (!document.hidden && waiting) {
        waiting = false;
        void ask();
      }
    };
    document.addEventListener("visibilitychange", seen);
    void ask();
    return () => {
      abort.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", seen);
    };
  }, [key, path, every_s, turn]);

  const reload = useCallback(() => setTurn((before) => before + 1), []);
  const same = state.key === key;
  // What another resource said would stand under the name of this one.
  const data = key === null || state.path !== path ? null : state.data;
  return {
    data,
    error: same ? state.error : null,
    loading: key !== null && (state.loading || !same),
    stale: data !== null && (!same || state.error !== null),
    reload,
  };
}
