// A trace from the public API. It looks at the metadata alone: the events are for a viewer.
import { z } from 'zod';
import { TRACE_TIMEOUT_MS } from '../../../protocol/limits.ts';
import { TRACE_PATH, TraceMetadata } from '../../../protocol/trace.ts';
import { askController } from '../ask-controller.ts';

/** The stages' deadline, and as much as a slow network needs for the 28 MB of 64 full stages. */
const ANSWER_TIMEOUT_MS = TRACE_TIMEOUT_MS + 30_000;

const Trace = z.object({ traceEvents: z.array(z.unknown()), metadata: TraceMetadata });

export interface FetchedTrace {
  /** the whole document as the API wrote it */
  text: string;
  metadata: TraceMetadata;
}

/** @param steps how many of the last steps @throws what `askController` throws */
export async function fetchTrace(controllerUrl: string, steps: number): Promise<FetchedTrace> {
  const path = `${TRACE_PATH}?steps=${steps}`;
  const question = { path, schema: Trace, what: 'trace', timeoutMs: ANSWER_TIMEOUT_MS };
  const { text, data } = await askController(controllerUrl, question);
  return { text, metadata: data.metadata };
}
