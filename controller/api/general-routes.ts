// The routes that belong to no dialect: the front page, health, the status.
import type { FastifyInstance } from 'fastify';
import { STATUS_PATH } from '../../protocol/status.ts';
import { ESPALIER_VERSION } from '../../protocol/version.ts';
import type { ApiContext } from './context.ts';
import type { RouteTable } from './route-table.ts';

export function generalRoutes(app: FastifyInstance, { deps }: ApiContext, routes: RouteTable): void {
  app.get('/', (_request, reply) => {
    reply.type('text/plain; charset=utf-8');
    return `Espalier ${ESPALIER_VERSION}\n\n${routes.list().join('\n')}\n`;
  });

  app.get('/health', (_request, reply) => {
    const { state, reason } = deps.status();
    if (state === 'serving') return { status: 'ok' };
    reply.code(503);
    return { status: state, reason };
  });

  app.get(STATUS_PATH, () => deps.status());
}
