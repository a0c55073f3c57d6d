/** The live stream: connects, comes back by itself where it left off, and says how fresh what is shown is. */
import { address } from "../api/http";
import type { Frame } from "./messages";

export type Link = "connecting" | "open" | "lost";

/** Without a word for so long, the service is asked whether it is still there. */
const ASK_AFTER_MS = 5_000;
const GIVE_UP_AFTER_MS = 10_000;
const PAUSES_MS = [250, 500, 1_000, 2_000, 4_000, 8_000];

export interface ConnectionEvents {
  frame(frame: Frame): void;
  link(link: Link, since: number): void;
}

export class LiveConnection {
  private socket: WebSocket | null = null;
  private heard = 0;
  private tries = 0;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private watch: ReturnType<typeof setInterval> | undefined;
  private begun = false;
  private ended = false;
  /** Credentials are being fetched for a socket that is not there yet. */
  private opening = false;

  constructor(
    private readonly events: ConnectionEvents,
    private readonly cursor: () => string | null,
    /** Subprotocols that carry credentials, where they are needed; null: it would be refused, so nothing is tried until `now` is called. */
    private readonly protocols: () => Promise<string[] | null> = () => Promise.resolve([]),
  ) {}

  start(): void {
    this.begun = true;
    addEventListener("online", this.now);
    document.addEventListener("visibilitychange", this.seen);
    this.watch = setInterval(this.check, 1_000);
    void this.open();
  }

  stop(): void {
    this.ended = true;
    removeEventListener("online", this.now);
    document.removeEventListener("visibilitychange", this.seen);
    clearInterval(this.watch);
    clearTimeout(this.retry);
    this.socket?.close();
  }

  /** Try at once instead of waiting; nothing before the start, or where there is a connection. */
  readonly now = (): void => {
    if (!this.begun || this.ended || this.socket?.readyState === WebSocket.OPEN || this.socket?.readyState === WebSocket.CONNECTING) return;
    this.tries = 0;
    clearTimeout(this.retry);
    void this.open();
  };

  private readonly seen = (): void => {
    if (!document.hidden) this.now();
  };

  private async open(): Promise<void> {
    if (this.opening) return;
    this.opening = true;
    const protocols = await this.protocols().finally(() => {
      this.opening = false;
    });
    if (this.ended || protocols === null) return;
    const url = new URL(address("ws"));
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const since = this.cursor();
    if (since !== null) url.searchParams.set("since", since);
    const socket = new WebSocket(url, protocols);
    this.socket = socket;
    this.heard = performance.now();
    socket.onmessage = (event: MessageEvent<string>) => {
      this.heard = performance.now();
      this.tries = 0;
      this.events.frame(JSON.parse(event.data) as Frame);
    };
    socket.onopen = () => this.events.link("open", Date.now());
    socket.onclose = () => {
      if (this.socket === socket) this.lost();
    };
  }

  private lost(): void {
    this.socket = null;
    if (this.ended) return;
    this.events.link("lost", Date.now());
    const pause = PAUSES_MS[Math.min(this.tries, PAUSES_MS.length - 1)] ?? 8_000;
    this.tries++;
    // Many pages must not come back in the same moment.
    this.retry = setTimeout(() => void this.open(), pause * (0.75 + Math.random() / 2));
  }

  private readonly check = (): void => {
    const socket = this.socket;
    if (!socket) return;
    const silent = performance.now() - this.heard;
    if (socket.readyState === WebSocket.OPEN && silent > ASK_AFTER_MS && silent < GIVE_UP_AFTER_MS) socket.send('{"type": "ping"}');
    if (silent >= GIVE_UP_AFTER_MS) {
      this.socket = null;
      socket.onclose = null;
      socket.onmessage = null;
      socket.close();
      this.lost();
    }
  };
}
