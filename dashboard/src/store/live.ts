/** The one store of the page. Frames are taken at once; who shows them is told at most once per drawn frame, and not at all while the tab is hidden. */
import { useRef, useSyncExternalStore } from "react";
import { get } from "../api/http";
import { socketProtocols } from "../api/session";
import { LiveConnection, type Link } from "./connection";
import type { FinishedTask, Frame } from "./messages";
import { NOTHING, reduce, type LiveState } from "./reducer";
import { Trail, type TrailMetric, Window } from "./trail";

export interface LiveView extends LiveState {
  readonly link: Link;
  /** When `link` became what it is, by the wall clock in ms. */
  readonly linkSince: number;
  /** Whether what is shown may be older than what there is. */
  readonly stale: boolean;
  /** Tasks per second of the wall clock, over the last seconds; null until that is known. */
  readonly throughput: number | null;
  /** Counts the lanes messages: trails have changed when it has. */
  readonly ticks: number;
  /** Goes on eight times a second while there is news; see `useBeat`. */
  readonly beats: number;
}

const BEAT_MS = 125;
const BEATS = 4;
const SAMPLES = 1_200;
const THROUGHPUT_OVER_MS = 5_000;

let view: LiveView = { ...NOTHING, link: "connecting", linkSince: Date.now(), stale: true, throughput: null, ticks: 0, beats: 0 };
const listeners = new Set<() => void>();
let due = false;

/** The whole run, and the newest points. */
export const whole = new Trail(320);
export const newest = new Window(240);
/** Finished tasks as they came, newest last. */
export const samples: FinishedTask[] = [];
let progress: [wall_ms: number, processed: number][] = [];

function tell(): void {
  if (due) return;
  due = true;
  if (!document.hidden) requestAnimationFrame(flush);
}

function flush(): void {
  due = false;
  for (const listener of listeners) listener();
}

function change(changed: Partial<LiveView>): void {
  view = { ...view, ...changed };
  tell();
}

function clearTrails(): void {
  whole.clear();
  newest.clear();
  samples.length = 0;
  progress = [];
}

export function take(frame: Frame, now_ms = performance.now()): void {
  const before = view;
  const state = reduce(before, frame);
  if (state.run?.run_id !== before.run?.run_id) {
    clearTrails();
    if (state.run && state.run.run_id !== null) void lookBack(state.run.run_id);
  }
  let ticks = before.ticks;
  if (state.lanes && state.lanes !== before.lanes) {
    whole.push(state.lanes.time_s, state.lanes.lanes);
    newest.push(state.lanes.time_s, state.lanes.lanes);
    ticks++;
  }
  if ("messages" in frame)
    for (const message of frame.messages)
      if (message.topic === "tasks" && message.seq > (before.seqs.tasks ?? -1)) {
        if (frame.type === "snapshot") samples.length = 0;
        for (const task of message.body.finished) samples.push(task);
        if (samples.length > SAMPLES * 1.2) samples.splice(0, samples.length - SAMPLES);
      }
  let throughput = before.throughput;
  if (state.run && state.run !== before.run) {
    progress.push([now_ms, state.run.tasks_processed]);
    while (progress.length > 2 && now_ms - (progress[1]?.[0] ?? now_ms) > THROUGHPUT_OVER_MS) progress.shift();
    const [first, last] = [progress[0], progress.at(-1)];
    throughput = first && last && last[0] - first[0] > 500 ? ((last[1] - first[1]) / (last[0] - first[0])) * 1000 : null;
    if (state.run.state !== "running") progress = [];
  }
  change({ ...state, ticks, throughput, stale: view.link !== "open" });
}

interface StoredTrail {
  readonly run_id: number | null;
  readonly time_s: readonly number[];
  readonly stride: number;
  readonly lanes: Readonly<Record<string, Readonly<Record<TrailMetric, readonly (number | null)[]>>>>;
}

/** What this page was not there for: charts begin where the run does. */
async function lookBack(runId: number): Promise<void> {
  let found: StoredTrail;
  try {
    found = await get<StoredTrail>("/api/v1/run/trail");
  } catch {
    // Charts then begin now; the banner says if the service is away.
    return;
  }
  if (found.run_id === runId && view.run?.run_id === runId) {
    whole.prepend(found);
    change({ ticks: view.ticks + 1 });
  }
}

export const connection = new LiveConnection(
  {
    frame: (frame) => take(frame),
    link: (link, since) => change({ link, stale: link !== "open", ...(link === view.link ? {} : { linkSince: since }) }),
  },
  () => view.cursor,
  socketProtocols,
);

export function startLive(): void {
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && due) requestAnimationFrame(flush);
  });
  let [seen, left] = [0, 0];
  setInterval(() => {
    if (document.hidden) return;
    // After the last news every phase comes once more.
    if (view.ticks !== seen) [seen, left] = [view.ticks, BEATS];
    if (left === 0) return;
    left--;
    change({ beats: view.beats + 1 });
  }, BEAT_MS);
  connection.start();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function present(): LiveView {
  return view;
}

/** A part of the store; the component is drawn anew only when that part has changed (`same`, by default identity). */
export function useLive<T>(select: (view: LiveView) => T, same: (first: T, second: T) => boolean = Object.is): T {
  const held = useRef<{ value: T } | null>(null);
  return useSyncExternalStore(subscribe, () => {
    const value = select(view);
    if (held.current && same(held.current.value, value)) return held.current.value;
    held.current = { value };
    return value;
  });
}

export function sameItems<T>(first: readonly T[], second: readonly T[]): boolean {
  return first.length === second.length && first.every((value, place) => Object.is(value, second[place]));
}

/**
 * A number that changes twice a second while there is news: what many lines or rows are drawn by. With phases 0 to 3, no two of them are drawn in one
 * go, so that none keeps the page from the next frame for long.
 */
export function useBeat(phase: 0 | 1 | 2 | 3): number {
  return useLive((found) => Math.floor((found.beats + phase) / BEATS));
}

/** Whether a run is under way. */
export function isActive(state: string | undefined): boolean {
  return state === "running" || state === "paused" || state === "starting" || state === "stopping" || state === "blocked";
}

const NO_POLICIES: readonly string[] = [];

/** The policies of the run, in the order of its lanes. */
export function usePolicies(): readonly string[] {
  return useLive((found) => found.lanes?.lanes.map((lane) => lane.policy) ?? NO_POLICIES, sameItems);
}
