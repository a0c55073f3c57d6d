/**
 * Drawing, a frame at a time. What wants to draw says so; in each frame of the browser as much is drawn as there is time for, at least one, and the rest in
 * the following frames, whoever has waited longest first. So many charts never hold up one frame together. A hidden tab draws nothing; what has changed
 * meanwhile is drawn once when it is seen again.
 */

/** Drawings begin in a frame until this much of it is gone; the rest is the browser's. */
export const BUDGET_MS = 6;

export interface Browser {
  readonly frame: (callback: () => void) => void;
  readonly now: () => number;
  readonly hidden: () => boolean;
  /** Call back whenever the tab is shown again. */
  readonly onShown: (callback: () => void) => void;
}

export class Frames {
  /** In the order of asking; each drawing is there once, however often it was asked for. */
  private readonly waiting = new Set<() => void>();
  private due = false;

  constructor(private readonly browser: Browser) {
    browser.onShown(() => this.plan());
  }

  /** Call `draw` in one of the next frames. */
  ask(draw: () => void): void {
    this.waiting.add(draw);
    this.plan();
  }

  /** It is not wanted any more. */
  drop(draw: () => void): void {
    this.waiting.delete(draw);
  }

  private plan(): void {
    if (this.due || !this.waiting.size || this.browser.hidden()) return;
    this.due = true;
    this.browser.frame(() => this.run());
  }

  private run(): void {
    this.due = false;
    if (this.browser.hidden()) return;
    const began = this.browser.now();
    // Those that ask again while they draw are for the next frame.
    for (const draw of [...this.waiting]) {
      this.waiting.delete(draw);
      try {
        draw();
      } finally {
        this.plan();
      }
      if (this.browser.now() - began >= BUDGET_MS) break;
    }
  }
}

/** The one of the page. */
export const frames = new Frames({
  frame: (callback) => requestAnimationFrame(callback),
  now: () => performance.now(),
  hidden: () => document.hidden,
  onShown: (callback) =>
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) callback();
    }),
});
