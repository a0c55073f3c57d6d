/** What one lane did, as bars on devices: collected from pieces of a timeline or of a stored schedule, and laid out so that nothing overlaps. */

export interface Bar {
  readonly task: number;
  readonly arrival_s: number;
  readonly start_s: number;
  /** When its CPU and GPU parts ended; null: it has none; NaN: it still runs. */
  readonly cpuEnd_s: number | null;
  readonly gpuEnd_s: number | null;
  readonly node: number;
  readonly gpus: readonly number[];
  readonly fraction: number;
  readonly size: number | null;
}

export interface Waiting {
  readonly task: number;
  readonly arrival_s: number;
}

export interface Device {
  readonly name: string;
  readonly kind: string;
}

export type Columns = Readonly<Record<string, readonly unknown[]>>;

const number = (value: unknown): number | null => (typeof value === "number" && Number.isFinite(value) ? value : null);

export function gpuNumbers(text: unknown): readonly number[] {
  return typeof text === "string" && text !== "" ? text.split(" ").map(Number) : [];
}

function part(start_s: number, seconds: number | null, has: boolean, open: boolean): number | null {
  if (!has) return null;
  if (seconds === null) return open ? Number.NaN : null;
  return seconds > 0 ? start_s + seconds : null;
}

/** Bars of a row of results, or of a running task (`open`); null for what was never started. */
export function barOf(row: (name: string) => unknown, open: boolean): Bar | null {
  const [task, start_s, node, fraction] = [number(row("task_id")), number(row("start_s")), number(row("node")), number(row("fraction")) ?? 0];
  if (task === null || start_s === null || node === null) return null;
  if (!open && row("status") !== "finished") return null;
  const gpus = gpuNumbers(row("gpus"));
  const onGpu = gpus.length > 0 && fraction > 0;
  return {
    task,
    arrival_s: number(row("arrival_s")) ?? start_s,
    start_s,
    cpuEnd_s: part(start_s, number(row("cpu_s")), !onGpu || fraction < 1, open),
    gpuEnd_s: part(start_s, number(row("gpu_s")), onGpu, open),
    node,
    gpus,
    fraction,
    size: number(row("size")),
  };
}

export function barsOfColumns(columns: Columns, open: boolean): Bar[] {
  const count = columns["task_id"]?.length ?? 0;
  const bars: Bar[] = [];
  for (let place = 0; place < count; place++) {
    const bar = barOf((name) => columns[name]?.[place], open);
    if (bar) bars.push(bar);
  }
  return bars;
}

/** Where a bar ends; running ones do so at `now_s`. */
export function endOf(bar: Bar, now_s: number): number {
  const ends = [bar.cpuEnd_s, bar.gpuEnd_s].filter((end): end is number => end !== null).map((end) => (Number.isNaN(end) ? now_s : end));
  return Math.max(bar.start_s, ...ends);
}

/** The first of `count` places from which on something holds; `count` if it never does. */
export function firstAt(count: number, holds: (place: number) => boolean): number {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

const MOST_BARS = 8_000;
const LEAST_ROWS = 4;
const MOST_ROWS = 32;

export class Film {
  devices: readonly Device[] = [];
  /** By start. */
  bars: Bar[] = [];
  running: readonly Bar[] = [];
  waiting: readonly Waiting[] = [];
  waitingLength: number | null = null;
  /** Until when everything is here. */
  time_s = 0;
  /** From when on everything is here. */
  since_s = 0;
  /** Rows that the CPU parts on each node take. */
  readonly rows = new Map<number, number>();
  private readonly place = new Map<number, number>();
  private known = new Set<number>();
  /** No bar of `bars` is longer. */
  private longest_s = 0;

  clear(): void {
    this.bars = [];
    this.running = [];
    this.waiting = [];
    this.waitingLength = null;
    this.place.clear();
    this.known.clear();
    this.since_s = 0;
    this.longest_s = 0;
  }

  /** Take finished bars; those that are there already are left out. */
  add(bars: readonly Bar[]): void {
    const fresh = bars.filter((bar) => !this.known.has(bar.task));
    if (!fresh.length) return;
    for (const bar of fresh) {
      this.known.add(bar.task);
      this.longest_s = Math.max(this.longest_s, endOf(bar, bar.start_s) - bar.start_s);
    }
    this.bars = [...this.bars, ...fresh].sort((first, second) => first.start_s - second.start_s || first.task - second.task);
    if (this.bars.length > MOST_BARS) {
      for (const bar of this.bars.slice(0, this.bars.length - MOST_BARS)) {
        this.known.delete(bar.task);
        this.place.delete(bar.task);
        this.since_s = Math.max(this.since_s, bar.start_s);
      }
      this.bars = this.bars.slice(-MOST_BARS);
    }
    this.settle();
  }

  /** What runs and waits now. */
  setPresent(running: readonly Bar[], waiting: readonly Waiting[], length: number | null, time_s: number): void {
    this.running = running.filter((bar) => !this.known.has(bar.task));
    this.waiting = waiting;
    this.waitingLength = length;
    this.time_s = time_s;
    this.settle();
  }

  all(): readonly Bar[] {
    return this.running.length ? [...this.bars, ...this.running] : this.bars;
  }

  /** What is on the devices at some time from `begin_s` to `end_s`; what runs does so until it is over. */
  within(begin_s: number, end_s: number): Bar[] {
    const found: Bar[] = [];
    const from = firstAt(this.bars.length, (place) => this.bars[place]!.start_s >= begin_s - this.longest_s);
    for (let place = from; place < this.bars.length; place++) {
      const bar = this.bars[place]!;
      if (bar.start_s > end_s) break;
      if (endOf(bar, Number.POSITIVE_INFINITY) >= begin_s) found.push(bar);
    }
    for (const bar of this.running) if (bar.start_s <= end_s) found.push(bar);
    return found;
  }

  /** The row of a task's CPU part within its node. */
  rowOf(task: number): number {
    return this.place.get(task) ?? 0;
  }

  find(task: number): Bar | null {
    return this.bars.find((bar) => bar.task === task) ?? this.running.find((bar) => bar.task === task) ?? null;
  }

  /** Give every CPU part a row in which nothing else is at that time; what has one keeps it, so that nothing jumps. */
  private settle(): void {
    const everything = this.all().filter((bar) => bar.cpuEnd_s !== null);
    const fresh = everything.filter((bar) => !this.place.has(bar.task));
    if (!fresh.length) return;
    const from_s = Math.min(...fresh.map((bar) => bar.start_s));
    const span = (bar: Bar): { start: number; end: number } => ({
      start: bar.start_s,
      end: Number.isNaN(bar.cpuEnd_s) ? Number.POSITIVE_INFINITY : (bar.cpuEnd_s ?? bar.start_s),
    });
    const taken = new Map<number, { start: number; end: number }[][]>();
    const rowsOf = (node: number): { start: number; end: number }[][] => {
      let found = taken.get(node);
      if (!found) taken.set(node, (found = []));
      return found;
    };
    for (const bar of everything) {
      const row = this.place.get(bar.task);
      // What was over before the first new one is in nobody's way.
      if (row !== undefined && span(bar).end > from_s) (rowsOf(bar.node)[row] ??= []).push(span(bar));
    }
    for (const bar of fresh) {
      const own = span(bar);
      const rows = rowsOf(bar.node);
      let row = 0;
      while (row < MOST_ROWS - 1 && rows[row]?.some((other) => other.start < own.end && own.start < other.end)) row++;
      (rows[row] ??= []).push(own);
      this.place.set(bar.task, row);
      this.rows.set(bar.node, Math.max(this.rows.get(bar.node) ?? LEAST_ROWS, row + 1));
    }
  }
}

/** Length of the queue over time, as steps: time and how many wait from then on. */
export function queueSteps(film: Film): { readonly time_s: Float64Array; readonly length: Int32Array } {
  const events: [time: number, change: number][] = [];
  for (const bar of film.all()) {
    if (bar.start_s > bar.arrival_s) {
      events.push([bar.arrival_s, 1], [bar.start_s, -1]);
    }
  }
  for (const each of film.waiting) events.push([each.arrival_s, 1]);
  events.sort((first, second) => first[0] - second[0] || first[1] - second[1]);
  const time_s = new Float64Array(events.length);
  const length = new Int32Array(events.length);
  let now = 0;
  events.forEach(([time, change], place) => {
    now += change;
    time_s[place] = time;
    length[place] = now;
  });
  return { time_s, length };
}
