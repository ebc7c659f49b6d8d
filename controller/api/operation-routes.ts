// The routes by which an operator changes a running cluster: drains a node, ends a request. What they do is the
// controller's business.
import type { FastifyInstance } from 'fastify';
import { EspalierError } from '../../protocol/errors.ts';
import { cancelPath, DrainRequest, drainPath, undrainPath } from '../../protocol/operations.ts';
import type { ApiContext } from './context.ts';

/** Fastify's word for "any one part of the path", which `encodeURIComponent` would change. */
const route = (path: (id: string) => string): string => path('ID').replace('/ID/', '/:id/');

export function operationRoutes(app: FastifyInstance, { deps }: ApiContext): void {
  const admin = { access: 'admin' } as const;

  const draining = { ...admin, summary: 'Takes a node out of the plans to come', body: DrainRequest };
  app.post(route(drainPath), { config: draining }, ({ params, body }) => {
    const asked = DrainRequest.safeParse(body);
    if (!asked.success)
      throw new EspalierError('invalid_request', 'The body must be {} or {"now": true}, as JSON.');
    return deps.operate.drain(idIn(params), asked.data.now);
  });

  app.post(route(undrainPath), { config: { ...admin, summary: 'Gives it back' } }, ({ params, body }) => {
    assertJson(body);
    return deps.operate.undrain(idIn(params));
  });

  app.post(route(cancelPath), { config: { ...admin, summary: 'Ends a request' } }, ({ params, body }) => {
    assertJson(body);
    return deps.operate.cancel(idIn(params));
  });
}

function idIn(params: unknown): string {
  return (params as { id: string }).id;
}

/** A foreign web page can post anything but JSON unasked. */
function assertJson(body: unknown): void {
  if (typeof body !== 'object' || body === null)
    throw new EspalierError('invalid_request', 'The body must be {}, as JSON.');
}
