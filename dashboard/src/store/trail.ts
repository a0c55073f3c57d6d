/**
 * How every policy has done over time, in bounded memory: when it is full, every other point is dropped, and from then on only every other one is taken.
 * So the whole run is always there, evenly, with `MOST / 2` to `MOST` points.
 */
import type { Lane } from "./messages";

export const TRAIL_METRICS = ["mean_response_s", "p95_response_s", "regret_to_oracle", "queue_length", "utilization_cpu", "utilization_gpu", "fallback_share"] as const;
export type TrailMetric = (typeof TRAIL_METRICS)[number];

export class Trail {
  time_s: number[] = [];
  /** By policy and metric; null where nothing was known. As long as `time_s`. */
  readonly values = new Map<string, Record<TrailMetric, (number | null)[]>>();
  private seen_s = Number.NEGATIVE_INFINITY;
  private stride = 1;
  private skipped = 0;

  constructor(readonly most: number) {}

  clear(): void {
    this.time_s = [];
    this.values.clear();
    this.seen_s = Number.NEGATIVE_INFINITY;
    this.stride = 1;
    this.skipped = 0;
  }

  /** Put what was before at the beginning: points that are older than those here. */
  prepend(before: {
    readonly time_s: readonly number[];
    readonly stride: number;
    readonly lanes: Readonly<Record<string, Readonly<Record<TrailMetric, readonly (number | null)[]>>>>;
  }): void {
    const first = this.time_s[0] ?? Number.POSITIVE_INFINITY;
    const count = before.time_s.findIndex((time) => time >= first);
    const taken = count < 0 ? before.time_s.length : count;
    const own = this.time_s.length;
    for (const policy of new Set([...this.values.keys(), ...Object.keys(before.lanes)])) {
      const columns = {} as Record<TrailMetric, (number | null)[]>;
      for (const name of TRAIL_METRICS) {
        const older = before.lanes[policy]?.[name].slice(0, taken) ?? new Array<null>(taken).fill(null);
        const newer = this.values.get(policy)?.[name] ?? new Array<null>(own).fill(null);
        columns[name] = [...older, ...newer];
      }
      this.values.set(policy, columns);
    }
    this.time_s = [...before.time_s.slice(0, taken), ...this.time_s];
    this.seen_s = Math.max(this.seen_s, this.time_s.at(-1) ?? this.seen_s);
    this.stride = Math.max(this.stride, before.stride);
    while (this.time_s.length >= this.most) this.halve();
  }

  /** Take a point; time that does not go on is left out. */
  push(time_s: number, lanes: readonly Lane[]): void {
    if (time_s <= this.seen_s) return;
    this.seen_s = time_s;
    if (++this.skipped < this.stride) return;
    this.skipped = 0;
    for (const lane of lanes) {
      let columns = this.values.get(lane.policy);
      if (!columns) {
        columns = Object.fromEntries(TRAIL_METRICS.map((name) => [name, new Array<number | null>(this.time_s.length).fill(null)])) as Record<
          TrailMetric,
          (number | null)[]
        >;
        this.values.set(lane.policy, columns);
      }
      for (const name of TRAIL_METRICS) columns[name].push(lane[name]);
    }
    this.time_s.push(time_s);
    for (const columns of this.values.values())
      for (const name of TRAIL_METRICS) if (columns[name].length < this.time_s.length) columns[name].push(null);
    if (this.time_s.length >= this.most) this.halve();
  }

  private halve(): void {
    const kept = (_: unknown, place: number): boolean => place % 2 === 1;
    this.time_s = this.time_s.filter(kept);
    for (const columns of this.values.values()) for (const name of TRAIL_METRICS) columns[name] = columns[name].filter(kept);
    this.stride *= 2;
  }
}

/** The newest points only, each of them. */
export class Window extends Trail {
  override push(time_s: number, lanes: readonly Lane[]): void {
    super.push(time_s, lanes);
    while (this.time_s.length > this.most - 2) {
      this.time_s.shift();
      for (const [policy, columns] of this.values) {
        for (const name of TRAIL_METRICS) columns[name].shift();
        if (columns.queue_length.every((value) => value === null)) this.values.delete(policy);
      }
    }
  }
}
