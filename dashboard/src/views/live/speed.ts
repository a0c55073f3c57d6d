/** The slider of the speed: its places are powers of ten, and behind the last one is "max". */

export const PLACES = 81;
const SLOWEST = 1;
const DECADES = 4;

/** The speed at a place from 0 to `PLACES`; null: as fast as possible. */
export function speedAt(place: number): number | null {
  if (place >= PLACES) return null;
  const exact = SLOWEST * 10 ** ((place / (PLACES - 1)) * DECADES);
  return Number(exact.toPrecision(2));
}

export function placeOf(speed: number | null): number {
  if (speed === null) return PLACES;
  return Math.round(Math.min(Math.max((Math.log10(speed / SLOWEST) / DECADES) * (PLACES - 1), 0), PLACES - 1));
}
