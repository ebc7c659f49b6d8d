// /proc/net/route: IPv4 routes, in little-endian hexadecimal.
import type { FactNote, Route } from '../../../protocol/facts.ts';
import { MAX_ROUTES } from '../../../protocol/limits.ts';
import { atMost, isInterfaceName, lines, type Parsed } from '../text.ts';

const SOURCE = '/proc/net/route';
/** Flags of the kernel: in use; by a gateway; to a single host. */
const UP = 1;
const GATEWAY = 2;
const HOST = 4;

export function parseLinuxRoutes(text: string): Parsed<Route[]> {
  const notes: FactNote[] = [];
  const routes = lines(text).flatMap((line): Route[] => {
    const [name, to, by, flagText, , , , maskText] = line.slice(0, 300).trim().split(/\s+/);
    const flags = Number.parseInt(/^[0-9A-F]{4}$/.exec(flagText ?? '')?.[0] ?? '0', 16);
    const network = address(to);
    const gateway = address(by);
    const mask = octets(maskText);
    if (!isInterfaceName(name) || !network || !gateway || !mask || !(flags & UP) || flags & HOST) return [];
    const length = mask
      .map((octet) => octet.toString(2).replaceAll('0', '').length)
      .reduce((sum, bits) => sum + bits);
    return [
      {
        family: 'IPv4',
        destination: length === 0 ? 'default' : `${network}/${length}`,
        gateway: flags & GATEWAY ? gateway : null,
        interface: name,
        isScoped: false,
      },
    ];
  });
  return { value: atMost(routes, MAX_ROUTES, SOURCE, 'routes', notes), notes };
}

function octets(hex: string | undefined): number[] | undefined {
  if (!/^[0-9A-F]{8}$/.test(hex ?? '')) return undefined;
  return [...Buffer.from(hex ?? '', 'hex')].reverse();
}

function address(hex: string | undefined): string | undefined {
  return octets(hex)?.join('.');
}
