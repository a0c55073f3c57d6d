import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { smoothed, STRETCHES } from "../src/lib/smooth";

const times = fc.array(fc.double({ min: 0.1, max: 100, noNaN: true }), { minLength: STRETCHES + 1, maxLength: 300 }).map((steps) => {
  let at = 0;
  return steps.map((step) => (at += step));
});

describe("means over stretches of time", () => {
  it("are as they are where there are few points", () => {
    expect(smoothed([], [[]])).toEqual({ x: [], columns: [[]] });
    expect(smoothed([1, 2, 5], [[3, null, 4]])).toEqual({ x: [1, 2, 5], columns: [[3, null, 4]] });
  });

  it("are few, even where points lie closer after a change of speed", () => {
    const x = [...Array.from({ length: 40 }, (_, place) => place * 100), ...Array.from({ length: 200 }, (_, place) => 4_000 + place * 5)];
    const found = smoothed(x, [x.map(() => 1)]);
    const gaps = found.x.slice(1).map((time, place) => time - found.x[place]!);
    expect(found.x.length).toBeLessThanOrEqual(STRETCHES + 1);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(2.2 * Math.min(...gaps));
    expect(found.columns[0]).toEqual(found.x.map(() => 1));
  });

  it("hold the mean of every point before the last stretch once, and nothing where nothing is known", () => {
    fc.assert(
      fc.property(times, (x) => {
        const found = smoothed(x, [x, x.map(() => null)]);
        const ends = found.x.map((time) => x.indexOf(time) + 1);
        ends.forEach((end, place) => {
          const here = x.slice(ends[place - 1] ?? 0, end);
          expect(found.columns[0]?.[place]).toBeCloseTo(here.reduce((sum, value) => sum + value, 0) / here.length, 6);
        });
        expect(found.columns[1]?.every((value) => value === null)).toBe(true);
      }),
    );
  });

  it("do not change as the run goes on, but for a doubling of their length", () => {
    fc.assert(
      fc.property(times, fc.double({ min: 0.1, max: 100, noNaN: true }), (x, step) => {
        const [before, after] = [smoothed(x, [x]), smoothed([...x, x.at(-1)! + step], [[...x, x.at(-1)! + step]])];
        const doubled = after.x.length < before.x.length;
        if (!doubled) expect(after.x.slice(0, before.x.length)).toEqual(before.x);
      }),
    );
  });
});
