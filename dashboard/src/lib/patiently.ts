/** Loads parts of the page when they are needed first, also when the service is away at that moment. */

const PAUSE_MS = 1_000;
/** So often it is tried while the service seems to be there: a lost connection is not known at once. */
const TRIES = 20;

export class LoadError extends Error {
  constructor(reason: unknown) {
    super(`A part of the page could not be loaded; perhaps the service has been renewed. (${reason instanceof Error ? reason.message : String(reason)})`);
    this.name = "LoadError";
  }
}

/** Load something, and try again until it is there; while the service is `away`, for as long as that takes. Throws a `LoadError`. */
export async function patiently<T>(load: () => Promise<T>, away: () => boolean, pause_ms = PAUSE_MS): Promise<T> {
  for (let failed = 0; ; ) {
    try {
      return await load();
    } catch (error) {
      if (!away()) failed++;
      if (failed >= TRIES) throw new LoadError(error);
    }
    await new Promise((done) => setTimeout(done, pause_ms));
  }
}
