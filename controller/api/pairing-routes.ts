// The routes by which nodes come and go: who waits, who is paired, pair, unpair. What they do is the controller's business.
import type { FastifyInstance } from 'fastify';
import type { z } from 'zod';
import { EspalierError } from '../../protocol/errors.ts';
import { PAIRING_PATH, PairRequest, UNPAIRING_PATH, UnpairRequest } from '../../protocol/pairing.ts';
import type { ApiContext } from './context.ts';

export function pairingRoutes(app: FastifyInstance, { deps }: ApiContext): void {
  const admin = { access: 'admin' } as const;

  app.get(PAIRING_PATH, { config: { summary: 'The nodes that are paired, and those that wait' } }, () =>
    deps.pairing(),
  );

  const pairing = { ...admin, summary: 'Pairs a node by the code that it shows', body: PairRequest };
  app.post(PAIRING_PATH, { config: pairing }, ({ body }) => {
    const { node, code } = parse(PairRequest, body);
    return deps.pair(node, code);
  });

  const unpairing = { ...admin, summary: 'Sends a node away', body: UnpairRequest };
  app.post(UNPAIRING_PATH, { config: unpairing }, ({ body }) => deps.unpair(parse(UnpairRequest, body).node));
}

/** @throws EspalierError invalid_request */
function parse<T>(schema: z.ZodType<T>, body: unknown): T {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new EspalierError('invalid_request', `${issue?.path.join('.') || 'The body'}: ${issue?.message}.`);
}
