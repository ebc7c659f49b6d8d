// How the services of this home are kept running, and with which arguments: what an upgrade, a status and the wizard need to
// know. It must not know what the arguments mean.
import { join } from 'node:path';
import { z } from 'zod';
import { EspalierError } from '../../protocol/errors.ts';
import { readOwnFile, removeOwnFile, writeOwnFile } from '../../protocol/home-files.ts';
import { ServiceHow, ServiceName } from './service-spec.ts';

const SavedService = z.object({ how: ServiceHow, args: z.array(z.string().max(4_000)).max(100) });
export type SavedService = z.infer<typeof SavedService>;

const SavedServices = z.partialRecord(ServiceName, SavedService);
export type SavedServices = z.infer<typeof SavedServices>;

const FILE = 'services.json';

/** @throws EspalierError home_damaged */
export function readServices(home: string): SavedServices {
  const path = join(home, FILE);
  const text = readOwnFile(path);
  if (text === undefined) return {};
  try {
    return SavedServices.parse(JSON.parse(text));
  } catch {
    throw new EspalierError(
      'home_damaged',
      `${path} is not understood: remove it, then \`espalier service install\` again`,
    );
  }
}

/** @param saved undefined: it is a service no more. @throws EspalierError home_damaged, home_not_writable */
export function saveService(home: string, name: ServiceName, saved: SavedService | undefined): void {
  const services = readServices(home);
  if (saved) services[name] = saved;
  else delete services[name];
  const path = join(home, FILE);
  if (Object.keys(services).length === 0) removeOwnFile(path);
  else writeOwnFile(path, `${JSON.stringify(services, null, 2)}\n`);
}
