// The links from the public API, and a new measurement of them with the patience that it takes.
import { setTimeout as delay } from 'node:timers/promises';
import { EspalierError } from '../../../protocol/errors.ts';
import { LINKS_PATH, LinksReport, MEASURE_LINKS_PATH } from '../../../protocol/links.ts';
import { askController } from '../ask-controller.ts';

const ANSWER_TIMEOUT_MS = 10_000;
const POLL_MS = 250;
/** A pair takes a second, or a few; without any of them done for this long, something is in the way. */
const STANDSTILL_MS = 60_000;

/** @throws what `askController` throws */
export function fetchLinks(controllerUrl: string): Promise<LinksReport> {
  return ask(controllerUrl, LINKS_PATH);
}

/**
 * Has all pairs measured and waits for it.
 * @throws EspalierError not_ready when nothing moves for STANDSTILL_MS, and what `fetchLinks` throws
 */
export async function measureLinks(controllerUrl: string): Promise<LinksReport> {
  let report = await ask(controllerUrl, MEASURE_LINKS_PATH, {});
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

async function ask(controllerUrl: string, path: string, body?: object): Promise<LinksReport> {
  const question = { path, schema: LinksReport, what: 'links', timeoutMs: ANSWER_TIMEOUT_MS };
  return (await askController(controllerUrl, body ? { ...question, body } : question)).data;
}
