import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Bar } from "../src/views/cluster/film";
import { followingTask, type Part, reachOf } from "../src/views/cluster/replay";

const PAGE = 4;

/** A store of one policy: tasks by number, each a second after the one before; those left out never finished. */
class Store {
  readonly bars: Bar[] = [];
  loaded = false;
  pending = false;
  next: number | null = 0;
  time_s = 0;

  constructor(readonly tasks: readonly number[]) {}

  /** Answer what was asked for, as the service does. */
  load(from: number): void {
    const rows = this.tasks.filter((task) => task >= from).slice(0, PAGE);
    for (const task of rows) this.bars.push({ task, arrival_s: task, start_s: task, cpuEnd_s: task + 0.5, gpuEnd_s: null, node: 0, gpus: [], fraction: 0, size: null });
    const behind = this.tasks.find((task) => task > (rows.at(-1) ?? from));
    this.time_s = Math.max(this.time_s, ...rows);
    [this.loaded, this.next] = [true, rows.length === PAGE && behind !== undefined ? rows.at(-1)! + 1 : null];
  }

  part(): Part {
    return { film: { bars: this.bars, time_s: this.time_s }, loaded: this.loaded, pending: this.pending, next: this.next };
  }
}

const tasks = fc.uniqueArray(fc.nat(60), { minLength: 1, maxLength: 40 }).map((found) => found.sort((first, second) => first - second));

describe("a replay", () => {
  it("gets to the end of every policy without leaving a task out, however the answers come and wherever it is interrupted", () => {
    fc.assert(
      fc.property(fc.array(tasks, { minLength: 1, maxLength: 2 }), fc.array(fc.nat(3), { minLength: 400, maxLength: 400 }), (found, chances) => {
        const stores = found.map((each) => new Store(each));
        for (const store of stores) store.load(0);
        let [now, asked] = [0, 0];
        const all = () => stores.map((store) => store.part());
        for (const chance of chances) {
          const reach = reachOf(all());
          if (reach.isEnd && now >= reach.until_s) break;
          now = Math.max(now, Math.min(now + 3, reach.until_s));
          const next = followingTask(all(), now + 2);
          if (stores.some((store) => store.pending)) expect(next).toBeNull();
          if (next !== null) {
            asked = next;
            // What is there already is not asked for; what is not must follow on it.
            for (const store of stores) {
              if (store.next === null || asked < store.next) continue;
              expect(asked).toBe(store.next);
              store.pending = true;
            }
          }
          for (const [place, store] of stores.entries()) {
            if (!store.pending) continue;
            if (chance === 3) store.pending = false; // Held before the answer came.
            else if (chance !== place + 1) [store.pending] = [false, store.load(asked)];
          }
        }
        expect(reachOf(all())).toEqual({ isEnd: true, until_s: Math.max(...found.flat()) + 0.5 });
        expect(stores.map((store) => store.bars.map((bar) => bar.task))).toEqual(found);
      }),
    );
  });
});
