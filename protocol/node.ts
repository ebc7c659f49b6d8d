// What a node tells of itself, over Bonjour (identity only) and over the control connection (the rest).
import { z } from 'zod';
import { Shown, ShownName } from './printable.ts';

/** The Bonjour service type: `_espalier._tcp`. */
export const SERVICE_TYPE = 'espalier';

/** The name that agents and their controller share: two clusters on one network leave each other alone. */
export const ClusterName = z
  .string()
  .regex(/^[A-Za-z0-9._-]{1,63}$/, 'letters, digits, dots and dashes, at most 63');
export const DEFAULT_CLUSTER = 'home';

/** The TXT record: identity only. A new boot id tells a restart that Bonjour itself would hide. */
export const NodeAdvert = z.object({
  id: z.string().min(8).max(64),
  boot: z.string().min(1).max(64),
  protocol: z.coerce.number().int(),
  cluster: ClusterName,
  /** `1`: it has a controller. A claim, like all of this; agents before protocol 4 made none. */
  paired: z
    .string()
    .optional()
    .transform((text) => text === '1'),
});
export type NodeAdvert = z.infer<typeof NodeAdvert>;

export const NodeFacts = z.object({
  id: z.string().min(8).max(64),
  name: ShownName(100),
  bootId: Shown(64),
  pid: z.int(),
  platform: Shown(64),
  arch: Shown(64),
  /** `Apple M3 Ultra`, or what the operating system calls the processor */
  chip: Shown(200),
  cores: z.int().min(1),
  memoryBytes: z.number().min(0),
  /** what its owner lets weights and KV take of it; absent: as much as there is */
  memoryLimitBytes: z.number().min(0).optional(),
  espalierVersion: Shown(64),
});
export type NodeFacts = z.infer<typeof NodeFacts>;

export const HostPort = z.object({ host: z.string().min(1), port: z.int().min(1).max(65535) });
export type HostPort = z.infer<typeof HostPort>;

/**
 * `127.0.0.1:7118`, `studio-2.local:7118` or `[fe80::1%en5]:7118`.
 * @throws RangeError when it is not host:port
 */
export function parseHostPort(text: string): HostPort {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text.trim());
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || !(port >= 1 && port <= 65535)) {
    throw new RangeError(`"${text}" is not an address: write host:port, for example 192.168.1.20:7118`);
  }
  return { host, port };
}

export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
