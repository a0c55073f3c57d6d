/** Means over stretches of time: single samples of a quantity that jumps say little. */

/** Most stretches that a chart shows. */
export const STRETCHES = 40;

type Column = readonly (number | null)[];

/**
 * Means over stretches of equal length, which are as many as a power of two makes `STRETCHES / 2` to `STRETCHES` of. They begin at multiples of their
 * length, so that points that come later do not change those before; one that is not over yet is left out. `x` goes up.
 */
export function smoothed(x: readonly number[], columns: readonly Column[]): { readonly x: readonly number[]; readonly columns: readonly Column[] } {
  const [first, last] = [x[0], x.at(-1)];
  if (first === undefined || last === undefined || x.length <= STRETCHES) return { x, columns };
  const length = 2 ** Math.ceil(Math.log2((last - first) / STRETCHES));
  const ends: number[] = [];
  for (let place = 1; place < x.length; place++) if (Math.floor(x[place]! / length) > Math.floor(x[place - 1]! / length)) ends.push(place);
  const means = (column: Column): (number | null)[] =>
    ends.map((end, place) => {
      const here = column.slice(ends[place - 1] ?? 0, end).filter((value) => value !== null);
      return here.length ? here.reduce((sum, value) => sum + value, 0) / here.length : null;
    });
  return { x: ends.map((end) => x[end - 1]!), columns: columns.map(means) };
}
