/** Frames and messages of the live stream, `docs/api.md`. */

export interface Device {
  readonly name: string;
  readonly kind: string;
  readonly held: number;
  readonly tasks: readonly number[];
}

export interface Lane {
  readonly policy: string;
  readonly state: string;
  readonly finished: number;
  readonly refused: number;
  readonly queue_length: number;
  readonly running: number;
  readonly mean_response_s: number | null;
  readonly p95_response_s: number | null;
  readonly utilization_cpu: number | null;
  readonly utilization_gpu: number | null;
  readonly energy_j: number | null;
  readonly model: string | null;
  readonly fallback_share: number | null;
  readonly regret_to_oracle: number | null;
  readonly message: string | null;
}

export interface RunRequest {
  readonly workload: string;
  readonly cluster: string | null;
  readonly policies: readonly string[];
  readonly seed: number | null;
  readonly load: number;
  readonly speed: number | string | null;
  readonly max_tasks: number | null;
  readonly objective: string | null;
  readonly retrain_every: number | null;
}

export interface Learning {
  readonly state: string;
  readonly last_at_tasks: number | null;
  readonly last_error: string | null;
  readonly versions: readonly string[];
}

export type RunState = "stopped" | "starting" | "running" | "paused" | "stopping" | "blocked" | "failed";

export interface Run {
  readonly state: RunState;
  readonly run_id: number | null;
  readonly tasks_processed: number;
  readonly tasks_arrived: number;
  readonly time_s: number;
  readonly speed: number | null;
  readonly request: RunRequest | null;
  readonly message: string | null;
  readonly started_at: string | null;
  readonly retraining: Learning;
}

export interface Lanes {
  readonly time_s: number;
  readonly lanes: readonly Lane[];
}

export interface Devices {
  readonly time_s: number;
  readonly devices: Readonly<Record<string, readonly Device[]>>;
}

export interface FinishedTask {
  readonly task_id: number;
  readonly scheduler: string;
  readonly status: string;
  readonly arrival_s: number;
  readonly start_s: number | null;
  readonly finish_s: number | null;
  readonly fraction: number | null;
  readonly gpus: string | null;
  readonly decided_by: string | null;
  readonly model: string | null;
  readonly reason: string | null;
  readonly size?: number | null;
  readonly compute_intensity?: number | null;
}

export interface Tasks {
  /** A sample of what has finished, newest last. */
  readonly finished: readonly FinishedTask[];
  /** Results in this message. */
  readonly results: number;
  /** Results so far. */
  readonly total: number;
  readonly time_s: number;
}

export interface Storage {
  readonly lag_rows: number;
  readonly rows: Readonly<Record<string, number>>;
}

export interface Bodies {
  readonly run: Run;
  readonly lanes: Lanes;
  readonly devices: Devices;
  readonly tasks: Tasks;
  readonly storage: Storage;
  readonly learning: Learning;
}

export type Topic = keyof Bodies;

export type Message = { readonly [T in Topic]: { readonly version: number; readonly seq: number; readonly topic: T; readonly body: Bodies[T] } }[Topic];

interface FrameBase {
  readonly version: number;
  readonly cursor: string;
}

export type Frame =
  | (FrameBase & { readonly type: "snapshot"; readonly topics: readonly Topic[]; readonly messages: readonly Message[] })
  | (FrameBase & { readonly type: "update"; readonly messages: readonly Message[] })
  | (FrameBase & { readonly type: "heartbeat" })
  | (FrameBase & { readonly type: "pong" });
