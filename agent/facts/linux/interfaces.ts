// The network interfaces of a Linux machine: /sys/class/net tells what they are, Node which addresses they have. Pure.
import type {
  FactNote,
  InterfaceAddress,
  InterfaceKind,
  MachineLoad,
  NetworkInterface,
} from '../../../protocol/facts.ts';
import { MAX_INTERFACE_ADDRESSES, MAX_INTERFACES } from '../../../protocol/limits.ts';
import { atMost, isInterfaceName, type Parsed, wholeNumber } from '../text.ts';
import type { LinuxInterfaceFiles } from './files.ts';

const SOURCE = '/sys/class/net';
/** The kernel's numbers for kinds of hardware. */
const TYPE_ETHERNET = 1;
const TYPE_LOOPBACK = 772;
const FLAG_UP = 1;
const MAX_MBPS = 10_000_000;
const MAX_MTU = 1_000_000;

export interface LinuxInterfaces {
  interfaces: NetworkInterface[];
  traffic: MachineLoad['traffic'];
}

/** @param addresses of each interface, as Node tells them */
export function linuxInterfaces(
  found: readonly LinuxInterfaceFiles[],
  addresses: ReadonlyMap<string, InterfaceAddress[]>,
): Parsed<LinuxInterfaces> {
  const notes: FactNote[] = [];
  const known = atMost(
    found.filter(({ name }) => isInterfaceName(name)),
    MAX_INTERFACES,
    SOURCE,
    'interfaces',
    notes,
  );
  const interfaces = known.map((entry): NetworkInterface => {
    const { name, files, bridgeMembers } = entry;
    const speedMbps = wholeNumber(files.speed?.trim(), MAX_MBPS);
    const state = files.operstate?.trim();
    return {
      name,
      kind: kindOf(entry),
      portName: null,
      mtu: wholeNumber(files.mtu?.trim(), MAX_MTU),
      up: (Number.parseInt(files.flags ?? '', 16) & FLAG_UP) !== 0,
      active: state === 'up' ? true : state === 'down' || state === 'lowerlayerdown' ? false : null,
      addresses: atMost(
        addresses.get(name) ?? [],
        MAX_INTERFACE_ADDRESSES,
        SOURCE,
        `addresses of ${name}`,
        notes,
      ),
      members: (bridgeMembers ?? []).filter(isInterfaceName).slice(0, MAX_INTERFACES),
      media: null,
      linkGbps: speedMbps === null || speedMbps === 0 ? null : speedMbps / 1000,
      service: null,
    };
  });
  const traffic = known.flatMap(({ name, files }) => {
    const receivedBytes = wholeNumber(files['statistics/rx_bytes']?.trim());
    const sentBytes = wholeNumber(files['statistics/tx_bytes']?.trim());
    return receivedBytes === null || sentBytes === null
      ? []
      : [{ interface: name, receivedBytes, sentBytes }];
  });
  return { value: { interfaces, traffic }, notes };
}

function kindOf({ name, files, bridgeMembers }: LinuxInterfaceFiles): InterfaceKind {
  const type = wholeNumber(files.type?.trim());
  const deviceType = /^DEVTYPE=(\w{1,30})$/m.exec(files.uevent ?? '')?.[1];
  if (type === TYPE_LOOPBACK || name === 'lo') return 'loopback';
  if (bridgeMembers !== undefined || deviceType === 'bridge') return 'bridge';
  // the kernel's driver for IP over Thunderbolt calls its interfaces so
  if (/^thunderbolt\d+$/.test(name)) return 'thunderbolt';
  if (deviceType === 'wlan') return 'wifi';
  if (deviceType === 'wireguard' || /^(?:tun|tap|ppp|wg|zt|tailscale)\w*$/.test(name)) return 'vpn';
  return type === TYPE_ETHERNET ? 'ethernet' : 'other';
}
