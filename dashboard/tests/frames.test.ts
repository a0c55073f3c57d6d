// @vitest-environment jsdom
import { describe, expect, it } from "vitest";
import { BUDGET_MS, Frames } from "../src/lib/frames";

function stage() {
  const planned: (() => void)[] = [];
  const shown: (() => void)[] = [];
  const state = { now: 0, hidden: false };
  const frames = new Frames({
    frame: (callback) => planned.push(callback),
    now: () => state.now,
    hidden: () => state.hidden,
    onShown: (callback) => shown.push(callback),
  });
  return {
    frames,
    state,
    planned,
    step: () => planned.splice(0).forEach((callback) => callback()),
    show: () => {
      state.hidden = false;
      shown.forEach((callback) => callback());
    },
  };
}

describe("frames", () => {
  it("draws what was asked for often only once", () => {
    const { frames, step, planned } = stage();
    let drawn = 0;
    const draw = (): void => void drawn++;
    for (let time = 0; time < 5; time++) frames.ask(draw);
    expect(planned.length).toBe(1);
    step();
    expect(drawn).toBe(1);
    step();
    expect(drawn).toBe(1);
  });

  it("leaves to the next frame what there is no time for, and nobody waits for ever", () => {
    const { frames, state, step } = stage();
    const log: string[] = [];
    const slow = (name: string) => {
      const draw = (): void => {
        log.push(name);
        state.now += BUDGET_MS;
        frames.ask(draw);
      };
      return draw;
    };
    frames.ask(slow("a"));
    frames.ask(slow("b"));
    frames.ask(slow("c"));
    const perFrame: number[] = [];
    for (let frame = 0; frame < 6; frame++) {
      const before = log.length;
      step();
      perFrame.push(log.length - before);
    }
    expect(perFrame).toEqual([1, 1, 1, 1, 1, 1]);
    expect(log).toEqual(["a", "b", "c", "a", "b", "c"]);
  });

  it("draws quick ones in one go", () => {
    const { frames, state, step } = stage();
    let drawn = 0;
    for (let each = 0; each < 4; each++)
      frames.ask(() => {
        drawn++;
        state.now += BUDGET_MS / 8;
      });
    step();
    expect(drawn).toBe(4);
  });

  it("does nothing while hidden, and everything once when it is seen again", () => {
    const { frames, state, step, show, planned } = stage();
    let drawn = 0;
    const draw = (): void => void drawn++;
    state.hidden = true;
    for (let time = 0; time < 100; time++) frames.ask(draw);
    expect(planned.length).toBe(0);
    show();
    step();
    expect(drawn).toBe(1);
  });

  it("drops what is gone, and goes on after a drawing that fails", () => {
    const { frames, step } = stage();
    let drawn = 0;
    const gone = (): void => void drawn++;
    frames.ask(gone);
    frames.drop(gone);
    frames.ask(() => {
      throw new Error("no canvas");
    });
    frames.ask(() => void (drawn += 10));
    expect(step).toThrow("no canvas");
    step();
    expect(drawn).toBe(10);
  });
});
