/**
 * Who the reader is. The token stays in this page's memory; a cookie that only renewing uses (the service sets it, scripts cannot read it) brings it back
 * after a reload. Where the service is open there is nothing to do.
 */
import { useSyncExternalStore } from "react";
import { call, type Schemas } from "./client";
import { AwayError, onUnauthenticated, ProblemError, setToken } from "./http";

export interface Session {
  readonly who: Schemas["SessionAnswer"] | null;
  /** Credentials are needed, and there are none: nothing else can be shown. */
  readonly locked: boolean;
}

const RENEW_AT = 0.7;
let session: Session = { who: null, locked: false };
let token: string | null = null;
let timer: ReturnType<typeof setTimeout> | undefined;
let renewing: Promise<boolean> | null = null;
const listeners = new Set<() => void>();

function set(changed: Partial<Session>): void {
  session = { ...session, ...changed };
  for (const listener of listeners) listener();
}

function hold(found: Schemas["SignIn"] | null): void {
  token = found?.token ?? null;
  setToken(token);
  clearTimeout(timer);
  if (found) timer = setTimeout(() => void renew(), found.expires_in_s * 1000 * RENEW_AT);
}

async function look(): Promise<void> {
  const who = await call("get", "/api/v1/session");
  set({ who, locked: !who.signed_in });
}

/** Get a new token for the cookie; false if there is none that is good. Several that want it at once get one. */
export function renew(): Promise<boolean> {
  renewing ??= (async () => {
    try {
      hold(await call("post", "/api/v1/session/refresh"));
      await look();
      return true;
    } catch (error) {
      if (error instanceof AwayError) return false;
      hold(null);
      set({ locked: true });
      return false;
    } finally {
      renewing = null;
    }
  })();
  return renewing;
}

/** Find out whether credentials are needed; called before anything else is asked for. */
export async function startSession(): Promise<void> {
  onUnauthenticated(renew);
  try {
    await look();
    if (session.locked) await renew();
  } catch (error) {
    // Away: the live stream says so, and what is asked for later renews by itself.
    if (!(error instanceof AwayError) && !(error instanceof ProblemError)) throw error;
  }
}

export async function signIn(body: Schemas["LoginRequest"]): Promise<void> {
  hold(await call("post", "/api/v1/session", { body }));
  await look();
}

export async function signOut(): Promise<void> {
  await call("delete", "/api/v1/session");
  hold(null);
  await look();
}

/** What the live stream names itself with; nothing where no credentials are needed, null while they are needed and there are none. */
export async function socketProtocols(): Promise<string[] | null> {
  if (token === null && session.who?.auth === "keys" && !session.locked) await renew();
  if (session.locked) return null;
  return token === null ? [] : ["hms", `bearer.${token}`];
}

export function mayControl(found: Session): boolean {
  return found.who === null || found.who.scopes.includes("control");
}

export function useSession(): Session {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => session,
  );
}
