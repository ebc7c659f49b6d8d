// The addresses of this machine's interfaces, as Node knows them on every system.
import type { NetworkInterfaceInfo } from 'node:os';
import type { InterfaceAddress } from '../../protocol/facts.ts';
import { wholeNumber } from './text.ts';

/** @param told what os.networkInterfaces() returns */
export function nodeAddresses(told: NodeJS.Dict<NetworkInterfaceInfo[]>): Map<string, InterfaceAddress[]> {
  const addresses = new Map<string, InterfaceAddress[]>();
  for (const [name, entries] of Object.entries(told)) {
    addresses.set(
      name,
      (entries ?? []).map((entry) => addressOf(name, entry)),
    );
  }
  return addresses;
}

function addressOf(name: string, { family, address, cidr }: NetworkInterfaceInfo): InterfaceAddress {
  const full = family === 'IPv4' ? 32 : 128;
  const prefixLength = wholeNumber(cidr?.split('/')[1], full) ?? full;
  const isLinkLocal = family === 'IPv6' && /^fe[89ab]/i.test(address);
  return { family, address, prefixLength, zone: isLinkLocal ? name : null };
}
