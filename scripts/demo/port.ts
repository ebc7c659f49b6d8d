// Looks whether a port is free before anything is started: a taken one is the most common trouble, and is told at once.
import { once } from 'node:events';
import { createServer } from 'node:net';
import { EspalierError } from '../../protocol/errors.ts';

/**
 * @param port 0 is always free
 * @throws EspalierError port_taken, or bad_option when the port may not be opened
 */
export async function assertPortFree(host: string, port: number): Promise<void> {
  const server = createServer().listen({ host, port, exclusive: true });
  try {
    await once(server, 'listening');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EADDRINUSE') throw new EspalierError('port_taken', `port ${port} of ${host} is taken`);
    if (code === 'EACCES') {
      throw new EspalierError(
        'bad_option',
        `port ${port} may not be opened by this user: take one from 1024 on`,
      );
    }
    throw error;
  } finally {
    server.close();
  }
}
