/**
 * One fixed colour per policy, everywhere, and a dash and a marker with it: nobody has to tell policies apart by colour alone.
 *
 * The table names the policies that runs usually have. Any other spelling gets its place from its name, so it is the same on every page and every day.
 */

export const SLOTS = 12;

export type Marker = "circle" | "square" | "diamond" | "up" | "down" | "cross";

export interface PolicyStyle {
  /** Name of the custom property that holds the colour. */
  readonly variable: string;
  readonly dash: readonly number[];
  readonly marker: Marker;
}

const DASHES: readonly (readonly number[])[] = [[], [6, 3], [2, 2], [8, 3, 2, 3]];
const MARKERS: readonly Marker[] = ["circle", "square", "diamond", "up", "down", "cross"];

const FIXED: Readonly<Record<string, readonly [slot: number, dash: number]>> = {
  hybrid_ml: [0, 0],
  rl_agent: [1, 0],
  greedy: [2, 0],
  random: [3, 2],
  round_robin: [4, 1],
  mct: [5, 0],
  "sjf+mct": [6, 0],
  priced: [7, 0],
  energy_aware: [8, 1],
  least_loaded: [9, 1],
  min_min: [10, 1],
  sjf: [11, 2],
  fcfs: [5, 2],
  met: [8, 2],
  edf: [9, 2],
  cpu_only: [10, 2],
  gpu_only: [4, 2],
};

function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let place = 0; place < text.length; place++) value = Math.imul(value ^ text.charCodeAt(place), 0x01000193) >>> 0;
  return value;
}

const cache = new Map<string, PolicyStyle>();

export function policyStyle(policy: string): PolicyStyle {
  let found = cache.get(policy);
  if (!found) {
    if (policy === "oracle") found = { variable: "--p-oracle", dash: [4, 3], marker: "cross" };
    else {
      const number = hash(policy);
      const [slot, dash] = FIXED[policy] ?? [number % SLOTS, 1 + ((number >>> 8) % 3)];
      found = { variable: `--p${slot}`, dash: DASHES[dash] ?? [], marker: MARKERS[slot % MARKERS.length] ?? "circle" };
    }
    cache.set(policy, found);
  }
  return found;
}

/** `var(--p0)`, for styles. */
export function policyColor(policy: string): string {
  return `var(${policyStyle(policy).variable})`;
}

const ORDER = ["oracle", "hybrid_ml", "rl_agent", "greedy", "round_robin", "random"];

/** The usual order of policies: the oracle, learned ones, rules by name. */
export function comparePolicies(first: string, second: string): number {
  const place = (policy: string): number => {
    const found = ORDER.indexOf(policy);
    return found < 0 ? ORDER.length : found;
  };
  return place(first) - place(second) || (first < second ? -1 : first > second ? 1 : 0);
}
