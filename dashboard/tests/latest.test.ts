import { describe, expect, it } from "vitest";
import { oneAtATime } from "../src/views/live/latest";

describe("what is sent one at a time", () => {
  it("ends with the newest value, whatever took how long, and leaves out those between", async () => {
    const sent: number[] = [];
    const arrive: (() => void)[] = [];
    const send = oneAtATime((value: number) => {
      sent.push(value);
      return new Promise<void>((done) => arrive.push(done));
    });
    send(1);
    send(2);
    send(3);
    expect(sent).toEqual([1]);
    arrive[0]?.();
    await Promise.resolve().then(() => undefined);
    expect(sent).toEqual([1, 3]);
    arrive[1]?.();
    await Promise.resolve().then(() => undefined);
    send(4);
    expect(sent).toEqual([1, 3, 4]);
  });
});
