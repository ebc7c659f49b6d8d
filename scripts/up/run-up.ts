// `espalier up`: brings up what a home is, each role a process of its own, and ends all of them in order when it is told to or
// when one of them ends. A service manager starts it again.
import { mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { shownCode } from '../../agent/trust/code.ts';
import { ControllerPin } from '../../agent/trust/controller-pin.ts';
import { asEspalierError, EspalierError, explain } from '../../protocol/errors.ts';
import { SUPERVISED_STOP_MS } from '../../protocol/supervised.ts';
import { type Service, startService } from '../demo/child.ts';
import { endInOrder } from '../demo/end-in-order.ts';
import { aborted, listenForEnd } from '../demo/ending.ts';
import { pairHomes } from '../pair-homes.ts';
import { type RememberedRoles, ROLES, type UpRole } from './roles.ts';

const CLI = fileURLToPath(new URL('../cli/main.js', import.meta.url));

/**
 * Runs until it is told to end, or until one of the processes ends by itself.
 * @param roles at least one
 * @returns the exit code: 0 when it was told to end
 */
export async function runUp(home: string, roles: RememberedRoles): Promise<number> {
  const told = listenForEnd();
  const services = new Map<UpRole, Service>();
  try {
    const logs = logFolder(home);
    await pairOwn(home, roles);
    for (const role of ROLES) {
      const args = roles[role];
      if (!args) continue;
      const logPath = join(logs, `${role}.log`);
      const service = startService({ name: role, cliPath: CLI, args: [role, ...args], home, logPath });
      services.set(role, service);
    }
    const ended = Promise.race(
      [...services.values()].map(async ({ ended: end }) => Promise.reject(await end)),
    );
    ended.catch(() => undefined);
    const isOver = aborted(told.signal);
    await Promise.race([tellWhatRuns(home, services, logs), ended, isOver]);
    await Promise.race([ended, isOver]);
    return 0;
  } catch (error) {
    if (told.signal.aborted) return 0;
    process.stderr.write(`espalier up: ${explain(asEspalierError(error))}\n`);
    return 1;
  } finally {
    // the controller first: its clients hear of it before the stages go
    const groups = ROLES.map((role) => [services.get(role)].filter((one) => one !== undefined));
    await endInOrder(groups, SUPERVISED_STOP_MS);
    told.release();
  }
}

/** An agent beside its controller needs no code: whoever may write both homes may pair them. One that has a controller keeps it. */
async function pairOwn(home: string, { controller, agent }: RememberedRoles): Promise<void> {
  if (!controller || !agent || agent.includes('--join') || ControllerPin.open(home).pin) return;
  await pairHomes(home, [{ home, name: hostname().replace(/\..*$/, '') }]);
}

async function tellWhatRuns(
  home: string,
  services: ReadonlyMap<UpRole, Service>,
  logs: string,
): Promise<void> {
  for (const [role, { listening }] of services) {
    const { url, port } = await listening;
    process.stdout.write(
      url === undefined ? `${role} on port ${port}\n` : `${role} at ${url}, its web view at ${url}/ui\n`,
    );
  }
  const code = services.has('agent') ? shownCode(home) : undefined;
  if (code !== undefined) process.stdout.write(`the agent waits to be paired: its code is ${code}\n`);
  process.stdout.write(`logs in ${logs}\n`);
}

function logFolder(home: string): string {
  const path = join(home, 'logs');
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    return path;
  } catch (error) {
    throw new EspalierError(
      'home_not_writable',
      `the folder ${path} cannot be made: ${(error as Error).message}`,
    );
  }
}
