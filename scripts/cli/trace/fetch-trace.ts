// A trace from the public API. It looks at the metadata alone: the events are for a viewer.
import { z } from 'zod';
import { unreachable } from '../../../dashboard/client.ts';
import { EspalierError } from '../../../protocol/errors.ts';
import { TRACE_TIMEOUT_MS } from '../../../protocol/limits.ts';
import { TRACE_PATH, TraceMetadata } from '../../../protocol/trace.ts';
import { ESPALIER_VERSION } from '../../../protocol/version.ts';
import { ApiError } from '../api-error.ts';

/** The stages' deadline, and as much as a slow network needs for the 28 MB of 64 full stages. */
const ANSWER_TIMEOUT_MS = TRACE_TIMEOUT_MS + 30_000;

const Failure = z.object({ error: z.object({ message: z.string() }) });
const Trace = z.object({ traceEvents: z.array(z.unknown()), metadata: TraceMetadata });

export interface FetchedTrace {
  /** the whole document as the API wrote it */
  text: string;
  metadata: TraceMetadata;
}

/**
 * @param steps how many of the last steps
 * @throws EspalierError controller_unreachable, or protocol_version when the answer is not understood; ApiError with the
 *   API's own words
 */
export async function fetchTrace(controllerUrl: string, steps: number): Promise<FetchedTrace> {
  const url = new URL(`${TRACE_PATH}?steps=${steps}`, controllerUrl);
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
    text = await response.text();
  } catch (error) {
    throw unreachable(controllerUrl, error);
  }
  const json = parseJson(text);
  const failure = Failure.safeParse(json);
  if (failure.success) throw new ApiError(failure.data.error.message);
  const trace = Trace.safeParse(json);
  if (trace.success) return { text, metadata: trace.data.metadata };
  if (!response.ok || json === undefined) {
    throw new EspalierError(
      'controller_unreachable',
      `${controllerUrl} answers GET ${TRACE_PATH} with HTTP ${response.status} and no trace: is it an Espalier controller?`,
    );
  }
  throw new EspalierError(
    'protocol_version',
    `the trace of the controller at ${controllerUrl} is not understood by version ${ESPALIER_VERSION}: ` +
      'upgrade the older side',
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
