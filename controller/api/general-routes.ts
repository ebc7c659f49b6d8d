// The routes that belong to no dialect: the front page, health, the status, the plan, the trace, the links.
import type { FastifyInstance } from 'fastify';
import { DOCTOR_PATH } from '../../protocol/doctor.ts';
import { EspalierError } from '../../protocol/errors.ts';
import { HISTORY_PATH } from '../../protocol/history.ts';
import { INCIDENTS_PATH } from '../../protocol/incidents.ts';
import { MAX_TRACE_STEPS } from '../../protocol/limits.ts';
import { LINKS_PATH, MEASURE_LINKS_PATH } from '../../protocol/links.ts';
import { PLAN_PATH } from '../../protocol/plan-report.ts';
import { STATUS_PATH } from '../../protocol/status.ts';
import { DEFAULT_TRACE_STEPS, TRACE_PATH } from '../../protocol/trace.ts';
import { ESPALIER_VERSION } from '../../protocol/version.ts';
import type { ApiContext } from './context.ts';
import { RequestError } from './request-error.ts';
import type { RouteTable } from './route-table.ts';

export function generalRoutes(app: FastifyInstance, { deps, metrics }: ApiContext, routes: RouteTable): void {
  app.get('/', { config: { summary: 'This list of routes' } }, (_request, reply) => {
    reply.type('text/plain; charset=utf-8');
    return `Espalier ${ESPALIER_VERSION}\n\n${routes.list().join('\n')}\n`;
  });

  app.get('/health', { config: { access: 'anything', summary: 'Whether it answers' } }, (_request, reply) => {
    const { state, reason } = deps.status();
    if (state === 'serving') return { status: 'ok' };
    reply.code(503);
    return { status: state, reason };
  });

  app.get('/metrics', { config: { summary: 'What is counted, for Prometheus' } }, async (_request, reply) => {
    reply.type(metrics.contentType);
    return metrics.text();
  });

  app.get(
    STATUS_PATH,
    { config: { summary: 'The cluster: nodes, stages, requests; a WebSocket of the same path streams it' } },
    () => deps.status(),
  );

  app.get(HISTORY_PATH, { config: { summary: 'The rates of the last ten minutes' } }, () => deps.history());

  app.get(PLAN_PATH, { config: { summary: 'The plan in force with its reasons' } }, () => deps.plan());

  app.get(TRACE_PATH, { config: { summary: 'The last steps of all stages, for Perfetto' } }, ({ query }) =>
    deps.trace(stepCount(query)),
  );

  app.get(INCIDENTS_PATH, { config: { summary: 'What went wrong, and what was done about it' } }, () =>
    deps.incidents(),
  );

  app.get(
    DOCTOR_PATH,
    { config: { access: 'admin', summary: 'Has every node check itself: what there is to mend' } },
    () => deps.doctor(),
  );

  app.get(LINKS_PATH, { config: { summary: 'The measured links between the nodes' } }, () => deps.links());

  app.post(
    MEASURE_LINKS_PATH,
    { config: { access: 'admin', summary: 'Measures them again' } },
    ({ body }) => {
      // a foreign web page can post anything but JSON unasked
      if (typeof body !== 'object' || body === null)
        throw new EspalierError('invalid_request', 'The body must be {}, as JSON.');
      return deps.measureLinks();
    },
  );
}

/** `?steps=N`. @throws RequestError invalid_request */
function stepCount(query: unknown): number {
  const { steps = String(DEFAULT_TRACE_STEPS) } = query as { steps?: unknown };
  const count = typeof steps === 'string' && /^\d{1,9}$/.test(steps) ? Number(steps) : 0;
  if (count >= 1 && count <= MAX_TRACE_STEPS) return count;
  throw new RequestError(
    'invalid_request',
    `steps: it takes one whole number from 1 to ${MAX_TRACE_STEPS}, the steps that a stage keeps.`,
    'steps',
  );
}
