import fc from "fast-check";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { leastFrom, marks, written } from "../src/lib/marks";
import { clock, digits, format, parts, relative, signed, tickText, type Unit, UNKNOWN } from "../src/lib/format";
import { comparePolicies, policyStyle, SLOTS } from "../src/lib/palette";
import { parseRoute, routeHash, VIEWS } from "../src/lib/router";

describe("numbers", () => {
  it("have three significant digits and the unit that fits", () => {
    expect(format(0.01234, "s").replace(/\s/, " ")).toBe("12.3 ms");
    expect(format(12.345, "s").replace(/\s/, " ")).toBe("12.3 s");
    expect(format(6_000, "s").replace(/\s/, " ")).toBe("1.67 h");
    expect(format(0.9999, "s").replace(/\s/, " ")).toBe("1.00 s");
    expect(format(1_234_567, "J").replace(/\s/, " ")).toBe("1.23 MJ");
    expect(format(0.4567, "share").replace(/\s/, " ")).toBe("45.7 %");
    expect(format(12_345, "count").replace(/\s/, " ")).toBe("12 345");
    expect(digits(0)).toBe("0");
    expect(digits(0.00001)).toBe("<0.001");
  });

  it("that are nearly nothing have no direction", () => {
    expect(signed(0.0003, "share").replace(/\s/, " ")).toBe("±<0.1 %");
    expect(signed(-0.0003, "share").replace(/\s/, " ")).toBe("±<0.1 %");
    expect(signed(-0.003, "share").replace(/\s/, " ")).toBe("−0.3 %");
  });

  it("of an axis that settles leave out what came first", () => {
    expect(leastFrom([[0.1, 5, null, 3], [null, 0, 4, 7]], 1)).toBe(3);
    expect(leastFrom([[0.1], []], 1)).toBe(null);
  });

  it("stand at axes of few decades at 1, 2 and 5, and at powers of ten where there is no room", () => {
    expect(marks(0, 8, 1)).toEqual([0, 1, 2, 5]);
    expect(marks(-3, 8, 1)).toEqual([-2, -1, 0, 1, 2, 5]);
    expect(marks(0, 500, 1)).toEqual([0, 1, 10, 100]);
    const splits = [1.3, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20, 30, 40, 44];
    expect(written(splits, 400, 16).filter((value) => value !== null)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 20, 30, 40]);
    expect(written(splits, 90, 16).filter((value) => value !== null)).toEqual([2, 5, 10, 20]);
    expect(written(splits, 40, 16).filter((value) => value !== null)).toEqual([10]);
  });

  it("that nobody knows are a dash", () => {
    for (const value of [null, undefined, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(format(value, "s")).toBe(UNKNOWN);
      expect(signed(value, "J")).toBe(UNKNOWN);
    }
    expect(clock(null)).toBe(UNKNOWN);
  });

  it("never show an exponent or more than twelve characters, whatever they are", () => {
    const units: Unit[] = ["s", "J", "usd", "share", "count", "factor", "per_s", "ms", "plain", "bytes"];
    fc.assert(
      fc.property(fc.double({ min: -1e9, max: 1e9, noNaN: true }), fc.constantFrom(...units), (value, unit) => {
        const [number] = parts(value, unit);
        expect(number).toMatch(/^−?<?[\d\u202f]+(\.\d+)?$/);
        expect(number.length).toBeLessThanOrEqual(14);
        expect(signed(value, unit)).toMatch(/^[+−±]/);
      }),
      { seed: 20261125 },
    );
  });

  it("on axes have no zeros that say nothing, and large differences are factors", () => {
    expect([300, 0.5, 60, 90, 0].map((value) => tickText(value, "s").replace(/\s/, " "))).toEqual(["5 min", "500 ms", "1 min", "90 s", "0 s"]);
    expect(tickText(1000, "count")).toBe("1\u202f000");
    expect(tickText(0.25, "share").replace(/\s/, " ")).toBe("25 %");
    expect(relative(0.5, 2).replace(/\s/, " ")).toBe("+25.0 %");
    expect(relative(19.9, 2).replace(/\s/, " ")).toBe("+995 %");
    expect(relative(298, 2).replace(/\s/, " ")).toBe("150 ×");
    expect(relative(1, 0)).toBe(UNKNOWN);
  });

  it("of time are a clock", () => {
    expect(clock(3_661)).toBe("01:01:01");
    expect(clock(90_061)).toBe("1 d 01:01:01");
  });
});

describe("addresses", () => {
  it("bring back what they were made from", () => {
    fc.assert(
      fc.property(fc.constantFrom(...VIEWS), fc.dictionary(fc.string({ minLength: 1 }).filter((name) => name !== "__proto__"), fc.string({ minLength: 1 })), (view, params) => {
        // A lone half of a pair of surrogates cannot be in an address.
        fc.pre(Object.entries(params).flat().every((text) => text.isWellFormed()));
        const found = parseRoute(routeHash(view, params));
        expect(found.view).toBe(view);
        expect(found.params).toEqual({ ...params });
      }),
      { seed: 20261125 },
    );
  });

  it("that lead nowhere lead to the start page", () => {
    expect(parseRoute("").view).toBe("live");
    expect(parseRoute("#/nowhere?a=1").view).toBe("live");
  });
});

function luminance(hex: string): number {
  const channel = (place: number): number => {
    const value = Number.parseInt(hex.slice(place, place + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5);
}

function contrast(first: string, second: string): number {
  const [high, low] = [luminance(first), luminance(second)].sort((left, right) => right - left) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

const css = readFileSync(new URL("../src/styles/tokens.css", import.meta.url), "utf8");
function tokens(block: string): Record<string, string> {
  return Object.fromEntries([...block.matchAll(/(--[\w-]+): (#[0-9a-f]{6});/g)].map((found) => [found[1] ?? "", found[2] ?? ""]));
}
const [light = "", dark = "", chosen = ""] = css.split(/@media|:root\[data-theme="dark"\]/);

describe("colours", () => {
  it("are the same whether the system or the reader chose the dark page", () => {
    expect(tokens(dark)).toEqual(tokens(chosen));
    expect(Object.keys(tokens(light)).filter((name) => !(name in tokens(dark)))).toEqual([]);
  });

  it.each([
    ["light", tokens(light)],
    ["dark", tokens(dark)],
  ])("can be read on the %s page", (_, found) => {
    for (const ground of ["--bg", "--panel", "--raised", "--sunken"] as const) {
      for (const text of ["--text", "--muted"]) expect(contrast(found[text]!, found[ground]!), `${text} on ${ground}`).toBeGreaterThanOrEqual(4.5);
    }
    for (const tone of ["good", "warn", "bad"]) {
      expect(contrast(found[`--${tone}`]!, found[`--${tone}-soft`]!), tone).toBeGreaterThanOrEqual(4.5);
      expect(contrast(found[`--${tone}`]!, found["--panel"]!), tone).toBeGreaterThanOrEqual(4.5);
    }
    expect(contrast(found["--on-accent"]!, found["--accent"]!)).toBeGreaterThanOrEqual(4.5);
    expect(contrast(found["--accent"]!, found["--panel"]!)).toBeGreaterThanOrEqual(4.5);
    expect(contrast(found["--line-strong"]!, found["--panel"]!)).toBeGreaterThanOrEqual(3);
    for (let slot = 0; slot < SLOTS; slot++) expect(contrast(found[`--p${slot}`]!, found["--panel"]!), `--p${slot}`).toBeGreaterThanOrEqual(3);
    for (const where of ["--on-cpu", "--on-gpu", "--on-both"]) expect(contrast(found[where]!, found["--panel"]!), where).toBeGreaterThanOrEqual(3);
    expect(contrast(found["--p-oracle"]!, found["--panel"]!)).toBeGreaterThanOrEqual(3);
  });

  it("belong to a policy for good, and tell the usual ones apart", () => {
    const usual = ["oracle", "hybrid_ml", "rl_agent", "greedy", "round_robin", "random", "mct", "sjf+mct", "priced", "energy_aware", "least_loaded", "min_min"];
    expect(new Set(usual.map((policy) => policyStyle(policy).variable)).size).toBe(usual.length);
    expect(policyStyle("lqf+whatever")).toEqual(policyStyle("lqf+whatever"));
    expect([...usual].sort(comparePolicies).slice(0, 3)).toEqual(["oracle", "hybrid_ml", "rl_agent"]);
  });
});
