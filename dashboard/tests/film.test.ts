import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { barOf, type Bar, endOf, Film, queueSteps } from "../src/views/cluster/film";
import { placeOf, PLACES, speedAt } from "../src/views/live/speed";

const bar: fc.Arbitrary<Omit<Bar, "task">> = fc
  .record({ arrival: fc.nat(100), wait: fc.nat(20), cpu: fc.nat(30), gpu: fc.nat(30), node: fc.nat(1), gpus: fc.subarray([0, 1, 2]) })
  .map(({ arrival, wait, cpu, gpu, node, gpus }) => ({
    arrival_s: arrival,
    start_s: arrival + wait,
    cpuEnd_s: cpu ? arrival + wait + cpu : null,
    gpuEnd_s: gpu && gpus.length ? arrival + wait + gpu : null,
    node,
    gpus,
    fraction: 0.5,
    size: null,
  }));

const bars = fc.array(bar, { maxLength: 60 }).map((found): Bar[] => found.map((each, task) => ({ ...each, task })));

describe("a film", () => {
  it("lays CPU parts out so that no two are in one place at one time, however they come, and keeps their places", () => {
    fc.assert(
      fc.property(bars, fc.integer({ min: 1, max: 9 }), (found, step) => {
        const film = new Film();
        const places = new Map<number, number>();
        for (let from = 0; from < found.length; from += step) {
          film.add(found.slice(Math.max(from - 2, 0), from + step));
          for (const each of film.bars) {
            if (each.cpuEnd_s === null) continue;
            if (places.has(each.task)) expect(film.rowOf(each.task)).toBe(places.get(each.task));
            places.set(each.task, film.rowOf(each.task));
          }
        }
        expect(film.bars.map((each) => each.task).sort((first, second) => first - second)).toEqual(found.map((each) => each.task));
        const onCpu = film.bars.filter((each) => each.cpuEnd_s !== null);
        for (const first of onCpu)
          for (const second of onCpu) {
            if (first.task >= second.task || first.node !== second.node || film.rowOf(first.task) !== film.rowOf(second.task) || film.rowOf(first.task) === 31) continue;
            expect(first.start_s >= second.cpuEnd_s! || second.start_s >= first.cpuEnd_s!).toBe(true);
          }
        for (const each of onCpu) expect(film.rowOf(each.task)).toBeLessThan(film.rows.get(each.node) ?? 0);
      }),
      { seed: 20261125, numRuns: 200 },
    );
  });

  it("finds what is on the devices in any stretch of time, what still runs included", () => {
    fc.assert(
      fc.property(bars, bars, fc.nat(140), fc.nat(140), (found, open, one, other) => {
        const film = new Film();
        film.add(found);
        const running = open.map((each) => ({ ...each, task: each.task + 1_000, cpuEnd_s: Number.NaN, gpuEnd_s: null }));
        film.setPresent(running, [], null, 100);
        const [begin, end] = [Math.min(one, other), Math.max(one, other)];
        const wanted = [...found, ...running].filter((each) => each.start_s <= end && endOf(each, Number.POSITIVE_INFINITY) >= begin).map((each) => each.task);
        expect(film.within(begin, end).map((each) => each.task).sort((first, second) => first - second)).toEqual(wanted.sort((first, second) => first - second));
      }),
      { seed: 20261125, numRuns: 300 },
    );
  });

  it("counts at every moment those that have arrived and were not started", () => {
    fc.assert(
      fc.property(bars, fc.nat(130), (found, moment) => {
        const film = new Film();
        film.add(found);
        film.setPresent([], [{ task: 999, arrival_s: 50 }], 1, 130);
        const { time_s, length } = queueSteps(film);
        let shown = 0;
        time_s.forEach((time, place) => {
          if (time <= moment) shown = length[place]!;
        });
        const waiting = found.filter((each) => each.arrival_s <= moment && moment < each.start_s).length + (moment >= 50 ? 1 : 0);
        expect(shown).toBe(waiting);
      }),
      { seed: 20261125 },
    );
  });

  it("shows what runs until it is finished, once", () => {
    const film = new Film();
    const row = (values: Record<string, unknown>) => (name: string) => values[name];
    const running = barOf(row({ task_id: 5, arrival_s: 1, start_s: 2, node: 0, gpus: "0 2", fraction: 0.4, cpu_s: 3, gpu_s: null }), true)!;
    expect(running.cpuEnd_s).toBe(5);
    expect(running.gpuEnd_s).toBeNaN();
    expect(endOf(running, 9)).toBe(9);
    film.setPresent([running], [], 0, 9);
    expect(film.all()).toHaveLength(1);
    const finished = barOf(row({ task_id: 5, status: "finished", arrival_s: 1, start_s: 2, node: 0, gpus: "0 2", fraction: 0.4, cpu_s: 3, gpu_s: 8 }), false)!;
    film.add([finished]);
    film.setPresent([running], [], 0, 10);
    expect(film.all()).toEqual([finished]);
    expect(finished.gpus).toEqual([0, 2]);
    expect(endOf(finished, 99)).toBe(10);
  });

  it("leaves out what was never started", () => {
    expect(barOf((name) => ({ task_id: 5, status: "refused", start_s: null, node: null })[name], false)).toBeNull();
    expect(barOf((name) => ({ task_id: 5, status: "withdrawn", start_s: 3, node: 0 })[name], false)).toBeNull();
  });
});

describe("the slider of the speed", () => {
  it("comes back to its place from every speed that it gives", () => {
    for (let place = 0; place <= PLACES; place++) expect(placeOf(speedAt(place))).toBe(place);
    expect(speedAt(PLACES)).toBeNull();
    expect(speedAt(0)).toBe(1);
    expect(speedAt(PLACES - 1)).toBe(10_000);
  });
});
