/** Where an axis begins and which marks it has, if it is no even one. */

/** Whether a mark has one digit: the ends of a logarithmic axis need not be round, and are not written. */
function isRound(value: number): boolean {
  const first = value / 10 ** Math.floor(Math.log10(value) + 1e-9);
  return Math.abs(first - Math.round(first)) < 1e-6;
}

/** 0 and powers of ten on both sides of it, with 2 and 5 between where there are few. */
export function marks(low: number, high: number, from: number): number[] {
  const factors = Math.max(high, -low) < 30 * from ? [1, 2, 5] : [1];
  const found = [0];
  for (let power = from; power <= Math.max(high, -low); power *= 10)
    for (const value of factors.map((factor) => factor * power)) {
      if (value <= high) found.push(value);
      if (value <= -low) found.unshift(-value);
    }
  return found;
}

/** Which marks of a logarithmic axis are written, where a decade is so long: each, 1, 2 and 5, or powers of ten. */
export function written(splits: readonly number[], decade_px: number, text_px: number): (number | null)[] {
  const every = decade_px * Math.log10(10 / 9) >= text_px;
  const some = decade_px * Math.log10(2) >= text_px;
  return splits.map((value) => {
    const first = Math.round(value / 10 ** Math.floor(Math.log10(value) + 1e-9));
    return isRound(value) && (every || first === 1 || (some && (first === 2 || first === 5))) ? value : null;
  });
}

/** The smallest value above 0 from a place on; null where there is none. */
export function leastFrom(columns: readonly ArrayLike<number | null | undefined>[], from: number): number | null {
  let least = Number.POSITIVE_INFINITY;
  for (const column of columns)
    for (let place = from; place < column.length; place++) {
      const value = column[place];
      if (typeof value === "number" && value > 0 && value < least) least = value;
    }
  return least === Number.POSITIVE_INFINITY ? null : least;
}
