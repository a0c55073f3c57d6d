/** Which stretch of simulated time is looked at. Who shows it is told when it moves, and draws when there is time. */

export const SHORTEST_S = 0.5;
export const LONGEST_S = 86_400;

export class Camera {
  end_s = 0;
  span_s = 120;
  /** Whether the right edge stays at the newest moment. */
  follows = true;
  private readonly listeners = new Set<() => void>();

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  get begin_s(): number {
    return this.end_s - this.span_s;
  }

  /** Draw anew. */
  readonly touch = (): void => {
    for (const listener of this.listeners) listener();
  };

  moveTo(end_s: number): void {
    this.end_s = Math.max(end_s, 0);
    this.touch();
  }

  /** By a share of what is seen; negative: into the past. */
  pan(share: number): void {
    this.follows = false;
    this.moveTo(this.end_s + share * this.span_s);
  }

  /** Around a place from 0 (left edge) to 1; below 1: closer. */
  zoom(factor: number, around = 1): void {
    const span = Math.min(Math.max(this.span_s * factor, SHORTEST_S), LONGEST_S);
    const fixed = this.begin_s + around * this.span_s;
    this.span_s = span;
    if (this.follows) this.touch();
    else this.moveTo(fixed + (1 - around) * span);
  }

  /** Let a moment be in the middle. */
  centre(time_s: number): void {
    this.follows = false;
    this.moveTo(time_s + this.span_s / 2);
  }
}
