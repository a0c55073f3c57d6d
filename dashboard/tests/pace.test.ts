import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OLDEST_S, pauseAfter, SHARE } from "../src/api/pace";

const seconds = fc.double({ min: 0.001, max: 1_000, noNaN: true });

describe("asking again", () => {
  it("is as often as wanted while answers are cheap", () => {
    expect(pauseAfter(4, 0.01)).toBe(4);
    expect(pauseAfter(4, 0.2)).toBe(4);
  });

  it("takes no more than its share of the service's time, unless that makes the page too old, and is never more often than wanted", () => {
    fc.assert(
      fc.property(seconds, seconds, (every_s, took_s) => {
        const pause_s = pauseAfter(every_s, took_s);
        expect(pause_s).toBeGreaterThanOrEqual(every_s);
        if (pause_s < OLDEST_S) expect(took_s / pause_s).toBeLessThanOrEqual(SHARE * 1.000001);
        expect(pause_s).toBeLessThanOrEqual(Math.max(every_s, OLDEST_S));
      }),
      { seed: 20261125 },
    );
  });
});
