// @vitest-environment jsdom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { LiveConnection } from "../src/store/connection";

/** A socket that connects, speaks and closes when the test says so. */
class Stream {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static all: Stream[] = [];
  readyState = Stream.CONNECTING;
  sent: string[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: (() => void) | null = null;

  constructor(
    readonly url: URL,
    readonly protocols: string[],
  ) {
    Stream.all.push(this);
  }

  opens(): void {
    this.readyState = Stream.OPEN;
    this.onopen?.();
  }

  says(frame: object): void {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }

  close(): void {
    this.readyState = 3;
    this.onclose?.();
  }

  send(text: string): void {
    this.sent.push(text);
  }
}

function connect(protocols?: () => Promise<string[] | null>): { connection: LiveConnection; frames: object[]; links: string[]; cursor: { now: string | null } } {
  const [frames, links, cursor] = [[] as object[], [] as string[], { now: null as string | null }];
  const events = { frame: (frame: object) => frames.push(frame), link: (link: string) => links.push(link) };
  return { connection: new LiveConnection(events, () => cursor.now, protocols), frames, links, cursor };
}

describe("the live stream", () => {
  beforeEach(() => {
    Stream.all = [];
    vi.stubGlobal("WebSocket", Stream);
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance"] });
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it("is one, however often it is asked for", async () => {
    const { connection, frames } = connect();
    connection.now();
    await vi.advanceTimersByTimeAsync(0);
    expect(Stream.all).toHaveLength(0);
    connection.start();
    connection.now();
    await vi.advanceTimersByTimeAsync(0);
    connection.now();
    Stream.all[0]?.opens();
    connection.now();
    await vi.advanceTimersByTimeAsync(0);
    expect(Stream.all).toHaveLength(1);
    Stream.all[0]?.says({ type: "pong" });
    expect(frames).toEqual([{ type: "pong" }]);
    connection.stop();
  });

  it("is not tried without credentials, and at once when they are there", async () => {
    let found: string[] | null = null;
    const { connection, links } = connect(() => Promise.resolve(found));
    connection.start();
    await vi.advanceTimersByTimeAsync(600_000);
    expect([Stream.all.length, links]).toEqual([0, []]);
    found = ["hms", "bearer.x"];
    connection.now();
    await vi.advanceTimersByTimeAsync(0);
    expect(Stream.all.map(({ protocols }) => protocols)).toEqual([found]);
    connection.stop();
  });

  it("comes back where it was, after longer and longer pauses", async () => {
    const { connection, links, cursor } = connect();
    connection.start();
    await vi.advanceTimersByTimeAsync(0);
    Stream.all[0]?.opens();
    cursor.now = "7-9";
    const waits: number[] = [];
    for (let round = 0; round < 6; round++) {
      const from = performance.now();
      Stream.all.at(-1)?.close();
      while (Stream.all.length < round + 2) await vi.advanceTimersByTimeAsync(10);
      waits.push(performance.now() - from);
    }
    expect(links.slice(0, 2)).toEqual(["open", "lost"]);
    expect(Stream.all[1]?.url.searchParams.get("since")).toBe("7-9");
    // A quarter less or more than 250 ms to 8 s.
    [250, 500, 1_000, 2_000, 4_000, 8_000].forEach((pause, round) => {
      expect(waits[round]).toBeGreaterThanOrEqual(pause * 0.75);
      expect(waits[round]).toBeLessThanOrEqual(pause * 1.25 + 20);
    });
    connection.stop();
  });

  it("asks when nothing is heard, and gives up a connection that is dead", async () => {
    const { connection, links } = connect();
    connection.start();
    await vi.advanceTimersByTimeAsync(0);
    const first = Stream.all[0]!;
    first.opens();
    await vi.advanceTimersByTimeAsync(7_000);
    expect(first.sent.length).toBeGreaterThan(0);
    first.says({ type: "pong" });
    await vi.advanceTimersByTimeAsync(4_000);
    expect(links).toEqual(["open"]);
    await vi.advanceTimersByTimeAsync(8_000);
    expect(links).toEqual(["open", "lost"]);
    expect(Stream.all).toHaveLength(2);
    connection.stop();
  });
});
