/** How often the service is asked again for what is shown. */

/** Of all the time, the service spends at most this share on one question that is asked again and again. */
export const SHARE = 0.05;
/** But what is shown never gets older than so. */
export const OLDEST_S = 60;
/** What could not be asked for, since the service did not answer, is asked for again after so long. */
export const AWAY_AGAIN_S = 3;

/** Seconds from an answer that took `took_s` to the next question: as wanted, and longer where answers are dear. */
export function pauseAfter(every_s: number, took_s: number): number {
  return Math.max(every_s, Math.min(took_s / SHARE, OLDEST_S));
}
