/** Reading from the service in a view: loading, data that stays while newer data is on its way, errors, and a clock that stands still in a hidden tab. */
import { useCallback, useEffect, useRef, useState } from "react";
import { AwayError, get } from "./http";
import { pauseAfter } from "./pace";

export interface Answer<T> {
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
  const [state, setState] = useState<{ key: string | null; data: T | null; error: unknown; loading: boolean }>({
    key: null,
    data: null,
    error: null,
    loading: false,
  });
  const [turn, setTurn] = useState(0);
  const wanted = useRef({ path, query });
  wanted.current = { path, query };

  useEffect(() => {
    if (key === null) return;
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let waiting = false;

    const again = (took_s: number): void => {
      if (every_s === undefined || abort.signal.aborted) return;
      timer = setTimeout(() => {
        if (document.hidden) waiting = true;
        else void ask();
      }, pauseAfter(every_s, took_s) * 1000);
    };
    const ask = async (): Promise<void> => {
      setState((before) => ({ ...before, loading: true }));
      const began = performance.now();
      try {
        const data = await get<T>(wanted.current.path ?? "", wanted.current.query, abort.signal);
        if (!abort.signal.aborted) setState({ key, data, error: null, loading: false });
      } catch (error) {
        if (abort.signal.aborted) return;
        setState((before) => ({ key, data: before.key === key || error instanceof AwayError ? before.data : null, error, loading: false }));
      }
      again((performance.now() - began) / 1000);
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
  }, [key, every_s, turn]);

  const reload = useCallback(() => setTurn((before) => before + 1), []);
  const same = state.key === key;
  return {
    data: key === null ? null : state.data,
    error: same ? state.error : null,
    loading: key !== null && (state.loading || !same),
    stale: key !== null && state.data !== null && (!same || state.error !== null),
    reload,
  };
}
