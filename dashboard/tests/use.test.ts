// @vitest-environment jsdom
import { act, createElement } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { useApi, type Answer } from "../src/api/use";

/** A request that is answered when the test says so. */
interface Asked {
  readonly path: string;
  readonly answers: (data: unknown, status?: number) => Promise<void>;
  readonly fails: () => Promise<void>;
  readonly breaksOff: () => Promise<void>;
}

let asked: Asked[] = [];
let shown: Answer<unknown>;
let root: Root;

function fetching(url: string, options: { signal?: AbortSignal }): Promise<unknown> {
  let [resolve, reject]: [(found: unknown) => void, (error: unknown) => void] = [() => {}, () => {}];
  const promise = new Promise((...both) => ([resolve, reject] = both));
  options.signal?.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError")));
  const settle = (what: () => void): Promise<void> => act(async () => what());
  const head = (status: number, text: () => Promise<string>): unknown => ({ ok: status < 400, status, statusText: "", headers: new Headers({ "content-type": "application/json" }), text });
  asked.push({
    path: new URL(url).pathname + new URL(url).search,
    answers: (data, status = 200) => settle(() => resolve(head(status, () => Promise.resolve(JSON.stringify(data))))),
    fails: () => settle(() => reject(new TypeError("Failed to fetch"))),
    breaksOff: () => settle(() => resolve(head(200, () => Promise.reject(new TypeError("network error"))))),
  });
  return promise;
}

function Reader({ path, query, every_s }: { readonly path: string | null; readonly query?: Record<string, string>; readonly every_s?: number }): null {
  shown = useApi(path, { ...(query ? { query } : {}), ...(every_s === undefined ? {} : { every_s }) });
  return null;
}

const read = (path: string | null, query?: Record<string, string>, every_s?: number): Promise<void> =>
  act(async () => root.render(createElement(Reader, { path, ...(query ? { query } : {}), ...(every_s === undefined ? {} : { every_s }) })));

describe("reading a resource", () => {
  beforeEach(() => {
    asked = [];
    vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
    vi.stubGlobal("fetch", fetching);
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    root = createRoot(document.createElement("div"));
  });
  afterEach(async () => {
    await act(async () => root.unmount());
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it("never shows what another resource said, whatever comes first", async () => {
    await read("/runs/1");
    await asked[0]?.answers({ run: 1 });
    expect(shown).toMatchObject({ data: { run: 1 }, loading: false, stale: false });
    await read("/runs/2");
    expect(shown).toMatchObject({ data: null, loading: true, stale: false });
    await read("/runs/3");
    await asked[2]?.answers({ run: 3 });
    await asked[1]?.answers({ run: 2 });
    expect(shown).toMatchObject({ data: { run: 3 }, loading: false });
    await read("/runs/1");
    expect(shown.data).toBeNull();
    await asked[3]?.answers({ title: "no", status: 404 }, 404);
    expect(shown).toMatchObject({ data: null, loading: false });
    expect(shown.error).toBeInstanceOf(Error);
  });

  it("keeps a list, as an old one, while another part of it is on its way, and no longer", async () => {
    await read("/runs", { state: "" });
    await asked[0]?.answers([1]);
    await read("/runs", { state: "failed" });
    expect(shown).toMatchObject({ data: [1], loading: true, stale: true });
    await asked[1]?.fails();
    expect(shown).toMatchObject({ data: null, loading: false });
  });

  it.each(["fails", "breaksOff"] as const)("is tried again by itself when the service is away (%s)", async (how) => {
    await read("/models");
    await asked[0]?.[how]();
    expect(shown).toMatchObject({ data: null, error: { name: "AwayError" }, loading: false });
    await act(() => vi.advanceTimersByTimeAsync(3_000));
    expect(asked).toHaveLength(2);
    await asked[1]?.[how]();
    await act(() => vi.advanceTimersByTimeAsync(3_000));
    await asked[2]?.answers([7]);
    expect(shown).toMatchObject({ data: [7], error: null, stale: false });
    // It was wanted once.
    await act(() => vi.advanceTimersByTimeAsync(600_000));
    expect(asked).toHaveLength(3);
  });

  it("asks again as often as wanted, one question at a time, and not after it is gone", async () => {
    await read("/status", undefined, 5);
    await act(() => vi.advanceTimersByTimeAsync(60_000));
    expect(asked).toHaveLength(1);
    await asked[0]?.answers(1);
    await act(() => vi.advanceTimersByTimeAsync(59_000));
    expect(asked).toHaveLength(1);
    await act(() => vi.advanceTimersByTimeAsync(1_001));
    expect(asked).toHaveLength(2);
    await asked[1]?.answers(2);
    await act(() => vi.advanceTimersByTimeAsync(5_001));
    expect(asked).toHaveLength(3);
    await read(null);
    await asked[2]?.answers(3);
    await act(() => vi.advanceTimersByTimeAsync(600_000));
    expect(asked).toHaveLength(3);
    expect(shown).toMatchObject({ data: null, loading: false });
  });
});
