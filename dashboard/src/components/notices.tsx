/** Short notices at the edge of the page: what an action did, or why it could not. */
import { useSyncExternalStore, type ReactNode } from "react";
import { reason } from "../api/http";

interface Notice {
  readonly id: number;
  readonly tone: "bad" | "good";
  readonly text: string;
}

const STAYS_MS = { good: 4_000, bad: 12_000 } as const;
let notices: readonly Notice[] = [];
let next = 1;
const listeners = new Set<() => void>();

function set(now: readonly Notice[]): void {
  notices = now;
  for (const listener of listeners) listener();
}

export function dismiss(id: number): void {
  set(notices.filter((notice) => notice.id !== id));
}

export function notify(text: string, tone: Notice["tone"] = "good"): void {
  const notice = { id: next++, tone, text };
  set([...notices.slice(-3), notice]);
  setTimeout(() => dismiss(notice.id), STAYS_MS[tone]);
}

/** Do something, and say so if it fails; returns whether it went well. */
export async function attempt(action: () => Promise<unknown>, done?: string): Promise<boolean> {
  try {
    await action();
  } catch (error) {
    notify(reason(error), "bad");
    return false;
  }
  if (done) notify(done);
  return true;
}

export function Notices(): ReactNode {
  const shown = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => notices,
  );
  return (
    <div className="notices" role="status" aria-live="polite">
      {shown.map((notice) => (
        <div key={notice.id} className={`notice notice-${notice.tone}`}>
          <span>{notice.text}</span>
          <button type="button" className="notice-close" aria-label="Dismiss" onClick={() => dismiss(notice.id)}>
            ✕
          </button>
        </div>
      ))}
    </div>
  );
}
