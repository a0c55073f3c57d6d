/** What is known of the run, as a pure function of the frames that came: no clock, no browser. */
import type { Bodies, FinishedTask, Frame, Message, Topic } from "./messages";

/** Finished tasks that are kept; as many as the service puts into a snapshot. */
export const TASKS_KEPT = 200;

export type LiveState = { readonly [T in Topic]: Bodies[T] | null } & {
  /** Where to go on after a lost connection. */
  readonly cursor: string | null;
  /** Number of the newest message by topic. */
  readonly seqs: Readonly<Partial<Record<Topic, number>>>;
};

export const NOTHING: LiveState = {
  cursor: null,
  seqs: {},
  run: null,
  lanes: null,
  devices: null,
  tasks: null,
  storage: null,
  learning: null,
};

/** The process that a cursor is from: numbers of another one mean nothing. */
export function processOf(cursor: string | null): string | null {
  return cursor === null ? null : cursor.slice(0, Math.max(cursor.lastIndexOf("-"), 0));
}

export function reduce(state: LiveState, frame: Frame): LiveState {
  switch (frame.type) {
    case "heartbeat":
    case "pong":
      return state;
    case "snapshot": {
      const same = processOf(state.cursor) === processOf(frame.cursor);
      return applied(same ? state : NOTHING, frame.messages, frame.cursor, true);
    }
    case "update":
      return applied(state, frame.messages, frame.cursor, false);
  }
}

function applied(before: LiveState, messages: readonly Message[], cursor: string, whole: boolean): LiveState {
  let state: LiveState = { ...before, cursor };
  const run = messages.find((message) => message.topic === "run");
  // The service forgets what it has not sent yet when another run begins: everything in this frame is about the new one.
  if (run && before.run !== null && before.run.run_id !== run.body.run_id && run.seq > (before.seqs.run ?? -1)) state = { ...NOTHING, cursor };
  for (const message of [...messages].sort((first, second) => first.seq - second.seq)) {
    if (message.seq <= (state.seqs[message.topic] ?? -1)) continue;
    const seqs = { ...state.seqs, [message.topic]: message.seq };
    if (message.topic === "tasks") {
      const kept = whole ? [] : (state.tasks?.finished ?? []);
      const finished: FinishedTask[] = [...kept, ...message.body.finished].slice(-TASKS_KEPT);
      state = { ...state, seqs, tasks: { ...message.body, finished } };
    } else {
      state = { ...state, seqs, [message.topic]: message.body };
    }
  }
  return state;
}
