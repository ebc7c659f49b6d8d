// The ways in which a command that watches is told to end, as one AbortSignal.

/**
 * Aborts on SIGINT, SIGTERM and SIGHUP, and when the process that started this one over an IPC channel is gone.
 * A second SIGINT ends the process at once.
 */
export function endingSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (name === 'SIGINT' && controller.signal.aborted) process.exit(130);
      controller.abort();
    });
  }
  process.once('disconnect', () => controller.abort());
  return controller.signal;
}
