// The links from the public API, and a new measurement of them with the patience that it takes.
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { unreachable } from '../../../dashboard/client.ts';
import { EspalierError } from '../../../protocol/errors.ts';
import { LINKS_PATH, LinksReport, MEASURE_LINKS_PATH } from '../../../protocol/links.ts';
import { ESPALIER_VERSION } from '../../../protocol/version.ts';
import { ApiError } from '../api-error.ts';

const ANSWER_TIMEOUT_MS = 10_000;
const POLL_MS = 250;
/** A pair takes a second, or a few; without any of them done for this long, something is in the way. */
const STANDSTILL_MS = 60_000;

const Failure = z.object({ error: z.object({ message: z.string() }) });

/** @throws EspalierError controller_unreachable, protocol_version; ApiError with the API's own words */
export function fetchLinks(controllerUrl: string): Promise<LinksReport> {
  return ask(controllerUrl, LINKS_PATH, { method: 'GET' });
}

/**
 * Has all pairs measured and waits for it.
 * @throws EspalierError not_ready when nothing moves for STANDSTILL_MS, and what `fetchLinks` throws
 */
export async function measureLinks(controllerUrl: string): Promise<LinksReport> {
  const headers = { 'content-type': 'application/json' };
  let report = await ask(controllerUrl, MEASURE_LINKS_PATH, { method: 'POST', headers, body: '{}' });
  let { waiting } = report;
  let movedAt = performance.now();
  while (report.waiting > 0) {
    await delay(POLL_MS);
    report = await fetchLinks(controllerUrl);
    if (report.waiting !== waiting) movedAt = performance.now();
    waiting = report.waiting;
    if (performance.now() - movedAt > STANDSTILL_MS) {
      const why = report.blocked ?? 'the agents do not answer';
      throw new EspalierError('not_ready', `${waiting} pairs of nodes could not be measured: ${why}`);
    }
  }
  return report;
}

async function ask(controllerUrl: string, path: string, how: RequestInit): Promise<LinksReport> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(new URL(path, controllerUrl), {
      ...how,
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    });
    text = await response.text();
  } catch (error) {
    throw unreachable(controllerUrl, error);
  }
  const json = parseJson(text);
  const failure = Failure.safeParse(json);
  if (failure.success) throw new ApiError(failure.data.error.message);
  const report = LinksReport.safeParse(json);
  if (report.success) return report.data;
  if (json === undefined) {
    throw new EspalierError(
      'controller_unreachable',
      `${controllerUrl} answers ${path} with HTTP ${response.status} and no links: is it an Espalier controller?`,
    );
  }
  throw new EspalierError(
    'protocol_version',
    `the links of the controller at ${controllerUrl} are not understood by version ${ESPALIER_VERSION}: ` +
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
