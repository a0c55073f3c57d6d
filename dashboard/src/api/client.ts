/** Requests whose paths, parameters, bodies and answers are those of the service's own description (`generated/api.ts`). */
import type { components, paths } from "./generated/api";
import { address, request } from "./http";
import { useApi, type Answer, type ApiOptions } from "./use";

export type Schemas = components["schemas"];
export type Method = "get" | "post" | "put" | "delete";

/** Paths that have this method. */
export type PathOf<M extends Method> = {
  [P in keyof paths]: paths[P] extends { readonly [K in M]: { readonly responses: object } } ? P : never;
}[keyof paths];

type Operation<P extends keyof paths, M extends Method> = paths[P] extends { readonly [K in M]: infer O } ? O : never;
type Parameters<O> = O extends { readonly parameters: { readonly path?: infer Path; readonly query?: infer Query } } ? { path: Path; query: Query } : never;

export type AnswerOf<P extends keyof paths, M extends Method = "get"> =
  Operation<P, M> extends { readonly responses: { readonly 200: { readonly content: { readonly "application/json": infer T } } } } ? T : undefined;
type BodyOf<O> = O extends { readonly requestBody?: { readonly content: { readonly "application/json": infer T } } } ? T : never;

export type Wanted<P extends keyof paths, M extends Method> = {
  readonly path?: Parameters<Operation<P, M>>["path"];
  readonly query?: Parameters<Operation<P, M>>["query"];
};

type Values = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** `/runs/{run_id}` with its parameters in place; their slashes are no slashes of the path. */
export function fill(path: string, values: Values = {}): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined || value === null) throw new Error(`${path}: no value for ${name}`);
    return encodeURIComponent(value);
  });
}

/** Send a request. */
export function call<M extends Method, P extends PathOf<M>>(
  method: M,
  path: P,
  wanted: Wanted<P, M> & { readonly body?: BodyOf<Operation<P, M>>; readonly signal?: AbortSignal } = {},
): Promise<AnswerOf<P, M>> {
  const { body, signal, query } = wanted;
  return request<AnswerOf<P, M>>(method.toUpperCase(), fill(path, wanted.path as Values | undefined), {
    ...(query ? { query: query as Values } : {}),
    ...(body === undefined ? {} : { body }),
    ...(signal ? { signal } : {}),
  });
}

/** Read a resource in a view; null asks for nothing. */
export function useRead<P extends PathOf<"get">>(path: P, wanted: Wanted<P, "get"> | null = {}, options: Omit<ApiOptions, "query"> = {}): Answer<AnswerOf<P>> {
  return useApi<AnswerOf<P>>(wanted === null ? null : fill(path, wanted.path as Values | undefined), {
    ...options,
    ...(wanted?.query ? { query: wanted.query as Values } : {}),
  });
}

/** The address of a resource, for a link that saves a file. */
export function link<P extends PathOf<"get">>(path: P, wanted: Wanted<P, "get"> = {}): string {
  return address(fill(path, wanted.path as Values | undefined), wanted.query as Values | undefined);
}
