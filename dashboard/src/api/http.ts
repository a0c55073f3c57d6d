import type { components } from "./generated/api";

/** Requests to the service. Every error is one of two: the service said no (`ProblemError`), or it could not be reached (`AwayError`). */

export type Problem = components["schemas"]["Problem"];

export class ProblemError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail ?? problem.title);
    this.name = "ProblemError";
  }
}

export class AwayError extends Error {
  constructor() {
    super("The service does not answer.");
    this.name = "AwayError";
  }
}

type Query = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** The address of a resource; below the page's own, so that a proxy may put both under a path. */
export function address(path: string, query: Query = {}): string {
  const url = new URL(path.replace(/^\//, ""), document.baseURI.replace(/#.*$/, ""));
  for (const [name, value] of Object.entries(query)) if (value !== null && value !== undefined) url.searchParams.set(name, String(value));
  return url.toString();
}

let bearer: string | null = null;

/** Send this token with every request from now on; null: none. */
export function setToken(token: string | null): void {
  bearer = token;
}

let renew: (() => Promise<boolean>) | null = null;

/** What to do when the service wants other credentials; if it brings new ones, the request is made once more. */
export function onUnauthenticated(action: () => Promise<boolean>): void {
  renew = action;
}

const SESSION = "api/v1/session";

/** What the network fails at, before the answer or in the middle of it, is that the service is away. */
async function reached<T>(underWay: Promise<T>): Promise<T> {
  try {
    return await underWay;
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new AwayError();
  }
}

export async function request<T>(method: string, path: string, options: { query?: Query; body?: unknown; signal?: AbortSignal } = {}): Promise<T> {
  const headers: Record<string, string> = { accept: "application/json" };
  if (options.body !== undefined) headers["content-type"] = "application/json";
  const send = (): Promise<Response> => {
    if (bearer !== null) headers["authorization"] = `Bearer ${bearer}`;
    return reached(
      fetch(address(path, options.query), {
        method,
        headers,
        ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
        ...(options.signal ? { signal: options.signal } : {}),
      }),
    );
  };
  let response = await send();
  if (response.status === 401 && renew && !path.includes(SESSION) && (await renew())) response = await send();
  if (response.ok) return (response.status === 204 ? undefined : JSON.parse(await reached(response.text()))) as T;
  const kind = response.headers.get("content-type") ?? "";
  if (kind.includes("json")) throw new ProblemError(JSON.parse(await reached(response.text())) as Problem);
  throw new ProblemError({ type: "about:blank", title: response.statusText || `status ${response.status}`, status: response.status });
}

/** Save what an address holds as a file. With credentials the page has to fetch it itself: a link cannot carry them. */
export async function save(url: string, name: string): Promise<void> {
  const link = document.createElement("a");
  link.download = name;
  if (bearer === null) {
    link.href = url;
    link.click();
    return;
  }
  const response = await fetch(url, { headers: { authorization: `Bearer ${bearer}` } });
  if (!response.ok) throw new ProblemError((await response.json()) as Problem);
  link.href = URL.createObjectURL(await response.blob());
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export const get = <T>(path: string, query?: Query, signal?: AbortSignal): Promise<T> =>
  request<T>("GET", path, { ...(query ? { query } : {}), ...(signal ? { signal } : {}) });
export const post = <T>(path: string, body: unknown = {}): Promise<T> => request<T>("POST", path, { body });
export const del = <T>(path: string, query?: Query): Promise<T> => request<T>("DELETE", path, query ? { query } : {});

/** What to tell a reader about an error. */
export function reason(error: unknown): string {
  if (error instanceof ProblemError) {
    const first = error.problem.errors?.[0]?.problem;
    return first && !error.message.includes(first) ? `${error.message}: ${first}` : error.message;
  }
  return error instanceof Error ? error.message : String(error);
}
