/**
 * Sends one value at a time, and of those that come meanwhile only the newest: several under way at once might arrive in another order than they were
 * sent in. `send` must not fail.
 */
export function oneAtATime<T>(send: (value: T) => Promise<unknown>): (value: T) => void {
  let isSending = false;
  let waiting: { readonly value: T } | null = null;
  const next = async (value: T): Promise<void> => {
    isSending = true;
    await send(value);
    isSending = false;
    const following = waiting;
    waiting = null;
    if (following) void next(following.value);
  };
  return (value) => {
    if (isSending) waiting = { value };
    else void next(value);
  };
}
