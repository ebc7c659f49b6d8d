// The ways in which the launcher is told to end, as one signal.

/**
 * Aborts on SIGINT, SIGTERM and SIGHUP, and when the process that started the launcher over an IPC channel is gone.
 * Any number of them means the same: what was started is being ended, which takes two seconds at most.
 */
export function listenForEnd(): { signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  const end = () => controller.abort();
  process.on('SIGINT', end).on('SIGTERM', end).on('SIGHUP', end);
  if (process.connected) process.on('disconnect', end);
  else if (process.send !== undefined) end();
  return {
    signal: controller.signal,
    release: () => {
      process.off('SIGINT', end).off('SIGTERM', end).off('SIGHUP', end).off('disconnect', end);
    },
  };
}

/** Resolves when the signal aborts; at once if it has. */
export async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
