/** Where films come from: the lane as it runs, or the stored rows of a run. */
import { useCallback, useEffect, useRef, useState } from "react";
import { call } from "../../api/client";
import { type Bar, barOf, barsOfColumns, Film } from "./film";

const EVERY_MS = 350;
const FIRST = 1_500;
const PAGE = 1_500;

export interface Filmed {
  readonly film: Film;
  /** Counts what came. */
  readonly version: number;
  readonly error: unknown;
  readonly loaded: boolean;
  /** Ask again; absent: it is asked again and again anyway. */
  readonly reload?: () => void;
}

/** The lane of a policy in the present run; `held`: nothing new is asked for. */
export function useLiveFilm(policy: string | null, runId: number | null, held: boolean, active: boolean, onTime: (time_s: number) => void): Filmed {
  const [film] = useState(() => new Film());
  const [state, setState] = useState<Omit<Filmed, "film" | "reload">>({ version: 0, error: null, loaded: false });
  const tell = useRef(onTime);
  tell.current = onTime;
  useEffect(() => {
    film.clear();
    setState({ version: 0, error: null, loaded: false });
  }, [film, policy, runId]);
  useEffect(() => {
    if (policy === null || runId === null || held) return;
    let ended = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let since = 0;
    const abort = new AbortController();
    const ask = async (): Promise<void> => {
      if (!document.hidden)
        try {
          const found = await call("get", "/api/v1/run/timeline", { query: { policy, since, limit: since ? 5_000 : FIRST }, signal: abort.signal });
          if (ended) return;
          if (since === 0 || found.missed) film.clear();
          const bars = barsOfColumns(found.columns, false);
          if (since === 0 || found.missed) film.since_s = bars.length >= FIRST ? Math.min(...bars.slice(0, 50).map((bar) => bar.start_s)) : 0;
          since = found.next;
          film.devices = found.devices;
          film.add(bars);
          film.setPresent(
            barsOfColumns({ ...found.running }, true),
            found.waiting.task_id.map((task, place) => ({ task, arrival_s: found.waiting.arrival_s[place] ?? 0 })),
            found.waiting.length,
            found.time_s,
          );
          tell.current(found.time_s);
          setState((before) => ({ version: before.version + 1, error: null, loaded: true }));
        } catch (error) {
          if (ended) return;
          setState((before) => ({ ...before, error }));
        }
      if (!ended) timer = setTimeout(() => void ask(), active ? EVERY_MS : 10 * EVERY_MS);
    };
    void ask();
    return () => {
      ended = true;
      abort.abort();
      clearTimeout(timer);
    };
  }, [film, policy, runId, held, active]);
  return { film, ...state };
}

function devicesOf(bars: readonly Bar[]): { name: string; kind: string }[] {
  const nodes = [...new Set(bars.map((bar) => bar.node))].sort((first, second) => first - second);
  return nodes.flatMap((node) => {
    const most = Math.max(-1, ...bars.filter((bar) => bar.node === node).flatMap((bar) => bar.gpus));
    return [{ name: `node ${node}`, kind: "cpu" }, ...Array.from({ length: most + 1 }, (_, gpu) => ({ name: `node ${node}/gpu${gpu}`, kind: "gpu" }))];
  });
}

export interface Stored {
  readonly run: number;
  /** The first task to have. */
  readonly from: number;
}

export interface StoredFilm extends Filmed {
  /** The first task behind those that are here; null: there are none behind them. */
  readonly next: number | null;
  /** The first task that is here. */
  readonly first: number;
  /** What was asked for is not here yet. */
  readonly pending: boolean;
}

/**
 * Stored rows of a policy, from a task on. What follows on what is here is put behind it, so that nothing on the screen changes its place; anything else
 * takes its place.
 */
export function useStoredFilm(policy: string | null, wanted: Stored | null, devices: readonly { name: string; kind: string }[]): StoredFilm {
  const [film] = useState(() => new Film());
  const [state, setState] = useState<Omit<StoredFilm, "film" | "reload">>({ version: 0, error: null, loaded: false, next: null, first: 0, pending: true });
  const here = useRef<{ policy: string | null; run: number | null; first: number; next: number | null }>({ policy: null, run: null, first: 0, next: null });
  const [turn, setTurn] = useState(0);
  const reload = useCallback(() => setTurn((before) => before + 1), []);
  const run = wanted?.run ?? null;
  const from = wanted?.from ?? 0;
  useEffect(() => {
    if (policy === null || run === null) return;
    const known = here.current.policy === policy && here.current.run === run ? here.current : null;
    if (known && from >= known.first && (known.next === null || from < known.next)) {
      setState((before) => ({ ...before, error: null, pending: false }));
      return;
    }
    const follows = known !== null && from === known.next;
    const abort = new AbortController();
    // Nothing of one policy may stand under the name of another.
    if (known === null) film.clear();
    setState((before) => ({ ...before, error: null, pending: true, loaded: before.loaded && known !== null }));
    const ask = async (): Promise<void> => {
      try {
        const found = await call("get", "/api/v1/runs/{run_id}/schedule", { path: { run_id: run }, query: { scheduler: policy, from_task: from, limit: PAGE }, signal: abort.signal });
        const bars = found.rows.map((row) => barOf((name) => row[name], false)).filter((bar): bar is Bar => bar !== null);
        if (!follows) {
          film.clear();
          film.since_s = from > 0 && bars[0] ? Math.min(...bars.slice(0, 50).map((bar) => bar.arrival_s)) : 0;
        }
        film.add(bars);
        film.devices = devices.length ? devices : devicesOf(film.bars);
        film.setPresent([], [], null, Math.max(follows ? film.time_s : 0, ...bars.map((bar) => bar.arrival_s)));
        const first = follows ? Math.max(known?.first ?? 0, film.bars.length ? Math.min(...film.bars.slice(0, 200).map((bar) => bar.task)) : 0) : from;
        here.current = { policy, run, first, next: found.next };
        setState((before) => ({ version: before.version + 1, error: null, loaded: true, next: found.next, first, pending: false }));
      } catch (error) {
        if (!abort.signal.aborted) setState((before) => ({ ...before, error, loaded: true, pending: false }));
      }
    };
    void ask();
    return () => abort.abort();
  }, [film, policy, run, from, devices, turn]);
  return { film, reload, ...state };
}
