/** What is measured, in which unit, and what it means: the one place for names, formulas and help texts. */
import type { Unit } from "./format";

export interface Metric {
  readonly name: string;
  readonly unit: Unit;
  /** The formula, and what to think of it. */
  readonly help: string;
}

export const METRICS = {
  response: { name: "Response time", unit: "s", help: "finish − arrival, mean over finished tasks. Lower is better." },
  wait: { name: "Waiting time", unit: "s", help: "start − arrival, mean over finished tasks. Lower is better." },
  slowdown: { name: "Bounded slowdown", unit: "factor", help: "max(1, response ÷ max(run time, 10 s)), mean over finished tasks. 1 is best." },
  energy: { name: "Energy per task", unit: "J", help: "Busy power × time on each device, mean over finished tasks. Idle power is not in it." },
  cost: { name: "Cost per task", unit: "usd", help: "Price per hour × time on each device, mean over finished tasks." },
} as const satisfies Record<string, Metric>;

export type MetricKey = keyof typeof METRICS;

export const HELP = {
  toOracle:
    "Mean over the newest stored tasks that both finished, a moment behind the run, of this policy's value minus the baseline's. The interval holds the true mean with 95 % by batch means: the run is cut into up to 32 stretches of simulated time, and the spread of their differences gives the width.",
  regret: "Mean response time ÷ the oracle's − 1, over the newest 4096 tasks that both finished.",
  queue: "Tasks that have arrived and were not started, now.",
  utilCpu: "Cores in use ÷ all cores, now.",
  utilGpu: "GPU share in use ÷ all GPUs, now.",
  throughput: "Tasks whose results from every lane are in the journal, per second of the wall clock.",
  lag: "Rows in the journal that are not in the database yet. Nothing is lost: they follow.",
  fallback: "Share of the newest decisions that the rule behind a learned policy took, because the model was new, out of range or worse.",
  wins: "Tasks on which no other policy had a shorter response time; ties count for each.",
  p95: "95 % of the newest 4096 finished tasks were faster.",
  load: "Of a preset: share of the capacity of its usual cluster. Of a trace: factor on its arrival rate.",
  speed: "Simulated seconds per real second. max: as fast as the machine can.",
  processed: "Tasks whose results from every lane are in the journal. Never falls.",
} as const;
