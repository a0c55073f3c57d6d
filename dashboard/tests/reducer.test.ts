import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { FinishedTask, Frame, Message, Run, Topic } from "../src/store/messages";
import { NOTHING, reduce, TASKS_KEPT, type LiveState } from "../src/store/reducer";

const MOST_TASKS = 50;

function task(task_id: number): FinishedTask {
  return {
    task_id, scheduler: "greedy", status: "finished", arrival_s: task_id, start_s: task_id, finish_s: task_id + 1,
    fraction: 0.5, gpus: "0", decided_by: "rule", model: null, reason: null, size: 4, compute_intensity: 0.7,
  }; // prettier-ignore
}

function run(run_id: number, time_s: number): Run {
  return {
    state: "running", run_id, tasks_processed: time_s, tasks_arrived: time_s, time_s, speed: null, request: null, message: null,
    started_at: null, retraining: { state: "off", last_at_tasks: null, last_error: null, versions: [] },
  }; // prettier-ignore
}

/** What the service does, `live/feed.py`: the latest message by topic, and for each follower what it has not seen yet, merged. */
class Feed {
  seq = 0;
  latest = new Map<Topic, Message>();
  waiting = new Map<Topic, Message>();
  tasks: FinishedTask[] = [];
  results = 0;
  next = 0;
  last = 0;
  runId = 1;

  publish(topic: Exclude<Topic, "tasks">, value: number): void {
    const body =
      topic === "run" ? run(this.runId, value)
      : topic === "lanes" ? { time_s: value, lanes: [] }
      : topic === "devices" ? { time_s: value, devices: {} }
      : topic === "storage" ? { lag_rows: value, rows: {} }
      : { state: "waiting", last_at_tasks: value, last_error: null, versions: [] }; // prettier-ignore
    const message = { version: 1, seq: ++this.seq, topic, body } as Message;
    this.latest.set(topic, message);
    this.waiting.set(topic, message);
  }

  finish(count: number): void {
    const rows = Array.from({ length: count }, () => task(this.next++));
    this.tasks = [...this.tasks, ...rows].slice(-TASKS_KEPT);
    this.results += count;
    const before = this.waiting.get("tasks");
    const old = before?.topic === "tasks" ? before.body : { finished: [], results: 0 };
    const finished = [...old.finished, ...rows].slice(-MOST_TASKS);
    const common = { total: this.results, time_s: this.next };
    this.waiting.set("tasks", { version: 1, seq: ++this.seq, topic: "tasks", body: { finished, results: old.results + count, ...common } });
    this.latest.set("tasks", { version: 1, seq: ++this.seq, topic: "tasks", body: { finished: this.tasks, results: this.results, ...common } });
  }

  begin(): void {
    this.latest.clear();
    this.waiting.clear();
    this.tasks = [];
    this.results = 0;
    this.runId++;
    this.publish("run", 0);
  }

  frame(type: "snapshot" | "update", messages: Message[], process: string): Frame {
    this.last = Math.max(this.last, ...messages.map((message) => message.seq));
    const cursor = `${process}-${this.last}`;
    return type === "snapshot" ? { type, version: 1, cursor, topics: [], messages } : { type, version: 1, cursor, messages };
  }

  update(process: string): Frame {
    const messages = [...this.waiting.values()].sort((first, second) => first.seq - second.seq);
    this.waiting.clear();
    return this.frame("update", messages, process);
  }

  snapshot(process: string, since = -1): Frame {
    this.waiting.clear();
    return this.frame("snapshot", [...this.latest.values()].filter((message) => message.seq > since), process);
  }
}

type Step = { do: "publish"; topic: Exclude<Topic, "tasks">; value: number } | { do: "finish"; count: number } | { do: "drain" } | { do: "reconnect" } | { do: "begin" };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("publish" as const), topic: fc.constantFrom("run" as const, "lanes" as const, "devices" as const, "storage" as const, "learning" as const), value: fc.nat(1000) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("finish" as const), count: fc.integer({ min: 1, max: 30 }) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("drain" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("reconnect" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("begin" as const) }) },
);

const bodies = ({ run, lanes, devices, storage, learning }: LiveState) => ({ run, lanes, devices, storage, learning });

describe("the state after messages", () => {
  it("equals the snapshot that one gets at the end, however updates were merged, runs changed and connections were lost", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const feed = new Feed();
        feed.publish("run", 0);
        let state = reduce(NOTHING, feed.snapshot("aa"));
        for (const each of steps) {
          if (each.do === "publish") feed.publish(each.topic, each.value);
          else if (each.do === "finish") feed.finish(each.count);
          else if (each.do === "begin") feed.begin();
          else if (each.do === "drain") state = reduce(state, feed.update("aa"));
          else state = reduce(state, feed.snapshot("aa", Number(state.cursor?.split("-")[1])));
        }
        state = reduce(state, feed.update("aa"));
        const fresh = reduce(NOTHING, feed.snapshot("aa"));
        expect(bodies(state)).toEqual(bodies(fresh));
        if (state.tasks || fresh.tasks) {
          expect(state.tasks?.total ?? 0).toBe(fresh.tasks?.total ?? 0);
          // A slow follower misses some; what it has is in order, each once, and ends with the newest.
          const ids = state.tasks?.finished.map((each) => each.task_id) ?? [];
          expect(ids).toEqual([...new Set(ids)].sort((first, second) => first - second));
          expect(ids.at(-1)).toBe(fresh.tasks?.finished.at(-1)?.task_id);
        }
      }),
      { seed: 20261125, numRuns: 500 },
    );
  });

  it("has every finished task of the snapshot if every message was read", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: MOST_TASKS }), { maxLength: 30 }), (counts) => {
        const feed = new Feed();
        feed.publish("run", 0);
        let state = reduce(NOTHING, feed.snapshot("aa"));
        for (const count of counts) {
          feed.finish(count);
          state = reduce(state, feed.update("aa"));
        }
        expect(state.tasks?.finished).toEqual(reduce(NOTHING, feed.snapshot("aa")).tasks?.finished);
      }),
      { seed: 20261125 },
    );
  });

  it("takes nothing twice and nothing old", () => {
    const feed = new Feed();
    feed.publish("lanes", 1);
    const old = feed.update("aa");
    feed.publish("lanes", 2);
    feed.finish(3);
    const update = feed.update("aa");
    const state = reduce(reduce(NOTHING, old), update);
    expect(reduce(reduce(state, update), old)).toEqual({ ...state, cursor: old.cursor });
  });

  it("forgets everything when another process answers", () => {
    const feed = new Feed();
    feed.publish("storage", 7);
    feed.publish("run", 1);
    const state = reduce(NOTHING, feed.snapshot("aa"));
    const other = new Feed();
    other.publish("run", 0);
    const next = reduce(state, other.snapshot("bb"));
    expect(next.storage).toBeNull();
    expect(next.run?.time_s).toBe(0);
  });
});
