// `netstat -rn`: which interface the system sends to which network by. Routes to single neighbours are left out: there is
// one for each machine that was ever spoken to.
import { isIPv4 } from 'node:net';
import type { FactNote, Route } from '../../../protocol/facts.ts';
import { MAX_ROUTES } from '../../../protocol/limits.ts';
import { atMost, isInterfaceName, label, lines, note, type Parsed, wholeNumber } from '../text.ts';

const SOURCE = 'netstat -rn';

export function parseRoutes(text: string): Parsed<Route[]> {
  const notes: FactNote[] = [];
  const routes: Route[] = [];
  let family: Route['family'] | undefined;
  for (const line of lines(text)) {
    if (line === 'Internet:') family = 'IPv4';
    else if (line === 'Internet6:') family = 'IPv6';
    const [destination = '', gateway, flags = '', name] = line.slice(0, 300).split(/\s+/);
    // U: in use; H: a single host; m: multicast; I: scoped to its interface
    if (!family || !/^U[A-Za-z0-9]{0,20}$/.test(flags) || /[Hm]/.test(flags) || !isInterfaceName(name))
      continue;
    const network = family === 'IPv4' ? ipv4Network(destination) : label(destination);
    if (network === null) notes.push(note(SOURCE, `a destination in an unknown form: ${destination}`));
    else {
      const isScoped = flags.includes('I');
      routes.push({ family, destination: network, gateway: gatewayOf(gateway), interface: name, isScoped });
    }
  }
  if (routes.length === 0) notes.push(note(SOURCE, 'it told no routes'));
  return { value: atMost(routes, MAX_ROUTES, SOURCE, 'routes', notes), notes };
}

/** `link#8` means that the network lies behind the interface itself. */
function gatewayOf(printed: string | undefined): string | null {
  return printed?.startsWith('link#') ? null : label(printed);
}

/** `169.254` is 169.254.0.0/16: netstat leaves out what is zero, and a mask that follows from what it shows. */
function ipv4Network(destination: string): string | null {
  if (destination === 'default') return destination;
  const [, shown = '', mask] = /^([\d.]{1,15})(?:\/(\d{1,2}))?$/.exec(destination) ?? [];
  const parts = shown.split('.');
  const address = [...parts, '0', '0', '0'].slice(0, 4).join('.');
  const prefixLength = mask === undefined ? 8 * parts.length : wholeNumber(mask, 32);
  return parts.length <= 4 && isIPv4(address) && prefixLength !== null ? `${address}/${prefixLength}` : null;
}
