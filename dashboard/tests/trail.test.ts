import fc from "fast-check";
import { expect, it } from "vitest";
import type { Lane } from "../src/store/messages";
import { Trail, Window } from "../src/store/trail";

function lane(policy: string, queue_length: number): Lane {
  return {
    policy, state: "running", finished: 0, refused: 0, queue_length, running: 0, mean_response_s: null, p95_response_s: null,
    utilization_cpu: null, utilization_gpu: null, energy_j: null, model: null, fallback_share: null, regret_to_oracle: null, message: null,
  }; // prettier-ignore
}

it("keeps the whole run in bounded memory, evenly, with columns of one length", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 700 }), fc.nat(200), fc.nat(200), (points, joins, leaves) => {
      for (const trail of [new Trail(64), new Window(64)]) {
        for (let time = 0; time < points; time++) {
          const lanes = [lane("a", time), ...(time >= joins && time < joins + leaves ? [lane("b", 2 * time)] : [])];
          trail.push(time, lanes);
        }
        expect(trail.time_s.length).toBeLessThanOrEqual(64);
        for (const columns of trail.values.values()) expect(columns.queue_length.length).toBe(trail.time_s.length);
        expect(trail.values.get("a")?.queue_length).toEqual(trail.time_s);
        trail.values.get("b")?.queue_length.forEach((value, place) => {
          const time = trail.time_s[place] ?? -1;
          expect(value).toBe(time >= joins && time < joins + leaves ? 2 * time : null);
        });
        const gaps = new Set(trail.time_s.slice(1).map((time, place) => time - (trail.time_s[place] ?? 0)));
        expect(gaps.size).toBeLessThanOrEqual(1);
      }
    }),
    { seed: 20261125 },
  );
});

it("takes no time twice", () => {
  const trail = new Trail(8);
  trail.push(1, [lane("a", 1)]);
  trail.push(1, [lane("a", 2)]);
  expect(trail.values.get("a")?.queue_length).toEqual([1]);
});

it("begins where the run did once it has been told what was before", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 0, max: 60 }), fc.integer({ min: 1, max: 60 }), (before, overlap, after) => {
      const [trail, other] = [new Trail(64), new Trail(64)];
      for (let time = 0; time < before; time++) other.push(time, [lane("a", time), lane("gone", time)]);
      const from = Math.max(before - overlap, 0);
      for (let time = from; time < from + after; time++) trail.push(time, [lane("a", time), lane("new", time)]);
      trail.prepend({ time_s: other.time_s, stride: 1, lanes: Object.fromEntries(other.values) });
      trail.push(1_000, [lane("a", 1_000)]);
      expect(trail.time_s.length).toBeLessThan(64);
      expect(trail.time_s).toEqual([...new Set(trail.time_s)].sort((first, second) => first - second));
      expect(trail.values.get("a")?.queue_length).toEqual(trail.time_s);
      for (const columns of trail.values.values()) expect(columns.queue_length.length).toBe(trail.time_s.length);
      expect(trail.time_s[0]).toBeLessThanOrEqual(1);
    }),
    { seed: 20261125 },
  );
});
