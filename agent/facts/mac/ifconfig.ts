// `ifconfig -v`: the network interfaces with their flags, addresses and bridge members. Hardware addresses are not read:
// nothing needs them.
import { isIPv4, isIPv6 } from 'node:net';
import type { FactNote, InterfaceAddress } from '../../../protocol/facts.ts';
import { MAX_INTERFACE_ADDRESSES, MAX_INTERFACES } from '../../../protocol/limits.ts';
import { atMost, isInterfaceName, label, lines, note, type Parsed, wholeNumber } from '../text.ts';

const SOURCE = 'ifconfig';
const MAX_MTU = 1_000_000;

export interface IfconfigInterface {
  name: string;
  mtu: number | null;
  up: boolean;
  active: boolean | null;
  addresses: InterfaceAddress[];
  isBridge: boolean;
  members: string[];
  media: string | null;
  linkGbps: number | null;
  /** `Wi-Fi`, `Ethernet`: only with -v, and not of every interface */
  type: string | null;
}

export function parseIfconfig(text: string): Parsed<IfconfigInterface[]> {
  const notes: FactNote[] = [];
  const interfaces: IfconfigInterface[] = [];
  let homeless = 0;
  for (const line of lines(text)) {
    const head = /^([^\s:]{1,40}): flags=[0-9a-f]{1,8}<([^>]{0,300})>(?: mtu (\d{1,9}))?/.exec(line);
    const current = interfaces.at(-1);
    if (head) {
      const [, name, flags, mtu] = head;
      if (isInterfaceName(name)) interfaces.push(newInterface(name, flags ?? '', mtu));
      else notes.push(note(SOURCE, `a name in an unknown form: ${name}`));
    } else if (current && interfaces.length <= MAX_INTERFACES) {
      takeLine(current, line.trim(), notes);
    } else if (line.trim() !== '') {
      homeless += 1;
    }
  }
  if (homeless > 0 && interfaces.length <= MAX_INTERFACES) {
    notes.push(note(SOURCE, `${homeless} lines belong to no interface: the beginning is cut off`));
  }
  if (interfaces.length === 0) notes.push(note(SOURCE, 'it named no interface'));
  const kept = atMost(interfaces, MAX_INTERFACES, SOURCE, 'interfaces', notes);
  for (const entry of kept) {
    entry.addresses = atMost(
      entry.addresses,
      MAX_INTERFACE_ADDRESSES,
      SOURCE,
      `addresses of ${entry.name}`,
      notes,
    );
    entry.members = atMost(entry.members, MAX_INTERFACES, SOURCE, `members of ${entry.name}`, notes);
  }
  return { value: kept, notes };
}

function newInterface(name: string, flags: string, mtu: string | undefined): IfconfigInterface {
  return {
    name,
    mtu: wholeNumber(mtu, MAX_MTU),
    up: flags.split(',').includes('UP'),
    active: null,
    addresses: [],
    isBridge: /^bridge\d+$/.test(name),
    members: [],
    media: null,
    linkGbps: null,
    type: null,
  };
}

function takeLine(entry: IfconfigInterface, line: string, notes: FactNote[]): void {
  const [, word, rest] = /^(inet6?|member:|status:|media:|type:|link rate:) (.{1,300})$/.exec(line) ?? [];
  switch (word) {
    case 'inet':
    case 'inet6': {
      const address = word === 'inet' ? inet(rest ?? '') : inet6(rest ?? '');
      if (address) entry.addresses.push(address);
      else notes.push(note(SOURCE, `${entry.name}: an address in an unknown form: ${line}`));
      break;
    }
    case 'member:': {
      const member = rest?.split(' ')[0];
      if (isInterfaceName(member)) entry.members.push(member);
      break;
    }
    case 'status:':
      // a Wi-Fi interface says `associated` on some versions
      if (rest === 'active' || rest === 'associated') entry.active = true;
      else if (rest === 'inactive') entry.active = false;
      break;
    case 'media:':
      entry.media = label(rest);
      entry.linkGbps ??= mediaGbps(rest ?? '');
      break;
    case 'type:':
      entry.type = label(rest);
      break;
    case 'link rate:':
      entry.linkGbps = rateGbps(rest ?? '') ?? entry.linkGbps;
      break;
  }
}

/** `192.168.1.20 netmask 0xffffff00 broadcast …`, or `10.0.0.1 --> 10.0.0.2 netmask 0xfffffffc` */
function inet(rest: string): InterfaceAddress | undefined {
  const match = /^(\S{1,15})(?: --> \S{1,40})?(?: netmask 0x([0-9a-f]{8}))?(?: |$)/.exec(rest);
  const address = match?.[1] ?? '';
  if (!isIPv4(address)) return undefined;
  const prefixLength = maskLength(Number.parseInt(match?.[2] ?? 'ffffffff', 16));
  return prefixLength === undefined ? undefined : { family: 'IPv4', address, prefixLength, zone: null };
}

/** `fe80::1%en5 prefixlen 64 secured scopeid 0x15` */
function inet6(rest: string): InterfaceAddress | undefined {
  const match = /^([^\s%]{2,45})(?:%(\S{1,32}))?(?: --> \S{1,80})?(?: prefixlen (\d{1,3}))?(?: |$)/.exec(
    rest,
  );
  const address = match?.[1] ?? '';
  const prefixLength = wholeNumber(match?.[3] ?? '128', 128);
  const zone = match?.[2];
  if (!isIPv6(address) || prefixLength === null || (zone !== undefined && !isInterfaceName(zone)))
    return undefined;
  return { family: 'IPv6', address, prefixLength, zone: zone ?? null };
}

/** Undefined for a mask with holes. */
function maskLength(mask: number): number | undefined {
  const bits = mask.toString(2).padStart(32, '0');
  return /^1*0*$/.test(bits) ? bits.replace(/0*$/, '').length : undefined;
}

/** `10Gbase-T <full-duplex>`, `autoselect (1000baseT <full-duplex>)` */
function mediaGbps(media: string): number | null {
  const [, number, unit] = /(?:^|[ (])(\d{1,6}(?:\.\d)?)(G?)base/i.exec(media) ?? [];
  if (number === undefined) return null;
  const gbps = unit === '' ? Number(number) / 1000 : Number(number);
  return gbps <= 10_000 ? gbps : null;
}

/** `10.00 Gbps`, `866.50 Mbps` */
function rateGbps(rate: string): number | null {
  const [, number, unit] = /^(\d{1,6}(?:\.\d{1,3})?) ([KMG])bps/.exec(rate) ?? [];
  if (number === undefined) return null;
  const gbps = Number(number) / { K: 1e6, M: 1e3, G: 1 }[unit as 'K' | 'M' | 'G'];
  return gbps <= 10_000 ? gbps : null;
}
