// Gives a worker's memory back. node-mlx frees a tensor only after a garbage collection and a turn of the event loop:
// what a step leaves behind is young and goes with a minor collection, but KV buffers live long enough to grow old, and
// the JavaScript heap alone, a few megabytes, would never give V8 a reason for a major one.
import { setImmediate } from 'node:timers/promises';

type Collect = (options?: { type: 'minor' }) => void;

/** Collections between two major ones that are due because KV grew: a major one takes about 12 ms. */
const MAJOR_EVERY = 64;

/**
 * @param kvBytes of all sessions now: a change means that an old buffer has become garbage
 * @param collect V8's collector (`--expose-gc`)
 */
export function makeSettle(kvBytes: () => number, collect: Collect): () => Promise<void> {
  let known = 0;
  let minors = 0;
  let isMajorDue = false;
  return async () => {
    const bytes = kvBytes();
    const isDropped = bytes < known;
    isMajorDue ||= bytes !== known;
    known = bytes;
    if (isMajorDue && (isDropped || minors >= MAJOR_EVERY)) {
      collect();
      isMajorDue = false;
      minors = 0;
    } else {
      collect({ type: 'minor' });
      minors += 1;
    }
    await setImmediate();
  };
}
