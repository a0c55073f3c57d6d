/** What can be said about schedulers from their statistics alone. */
import type { Schemas } from "../../api/client";

export type Statistics = Schemas["Statistics"];

/** Whether a model took some of its decisions, or would have. */
export function isLearned(found: Statistics): boolean {
  return found.by_model + found.by_fallback + found.by_exploration > 0;
}

/** The rule with the shortest mean response time; the oracle, which knows the truth, is none. */
export function bestRule(all: readonly Statistics[], except?: string): Statistics | null {
  const rules = all.filter((found) => !isLearned(found) && found.scheduler !== "oracle" && found.scheduler !== except && found.mean_response_s !== null);
  return rules.reduce<Statistics | null>((best, found) => (best === null || (found.mean_response_s ?? 0) < (best.mean_response_s ?? 0) ? found : best), null);
}

export function perTask(sum: number, found: Statistics): number | null {
  return found.finished ? sum / found.finished : null;
}

export const RADAR_AXES = ["response", "p99 response", "wait", "slowdown", "energy", "cost"] as const;

function measures(found: Statistics): readonly (number | null)[] {
  return [found.mean_response_s, found.p99_response_s, found.mean_wait_s, found.mean_bounded_slowdown, perTask(found.energy_j, found), perTask(found.cost_usd, found)];
}

/** Per axis, the smallest value of the run over this scheduler's: 1 for the best, near 0 for one that is far off; null where nothing is known. */
export function radarValues(found: Statistics, all: readonly Statistics[]): readonly (number | null)[] {
  const tables = all.map(measures);
  return measures(found).map((value, axis) => {
    const least = Math.min(...tables.map((row) => row[axis] ?? Number.POSITIVE_INFINITY));
    if (value === null || !Number.isFinite(least)) return null;
    return value === least ? 1 : value > 0 ? least / value : null;
  });
}

const DECIDERS: Readonly<Record<string, string>> = {
  rule: "rule",
  model: "model",
  exploration: "exploration",
  fallback_cold: "fallback: too few outcomes yet",
  fallback_range: "fallback: outside the range of training",
  fallback_error: "fallback: predictions were too wrong",
  fallback_losing: "fallback: the model was losing",
  fallback_no_model: "fallback: there is no model",
};

export function deciderName(name: string): string {
  return DECIDERS[name] ?? name.replace(/^fallback_/, "fallback: ").replaceAll("_", " ");
}
