// Changes of a Mac's Thunderbolt network: each cable a link of its own instead of one bridge over all, with an address that
// hops (and, where RDMA is on, JACCL) can use. Pure.
import { createHash } from 'node:crypto';
import type { Fix } from '../../../protocol/doctor.ts';
import type { MachineFacts, NetworkInterface, ThunderboltPort } from '../../../protocol/facts.ts';
import type { Argv } from '../../../protocol/system-change.ts';
import { type DaemonNow, daemonCommands } from './launch-daemon.ts';

export const BRIDGE_LABEL = 'org.espalier.thunderbolt-ports';

const NETWORKSETUP = '/usr/sbin/networksetup';
const IFCONFIG = '/sbin/ifconfig';
/** macOS makes the bridge anew at each start, some time after daemons are started. */
const TRIES = 12;
const TRY_PAUSE_S = 5;

type Network = Pick<MachineFacts, 'interfaces' | 'thunderboltPorts' | 'rdma'>;

/** A port with a cable to another Mac. */
interface CabledPort {
  port: ThunderboltPort;
  name: string;
  interface: string;
  peerUuid: string;
}

function cabledPorts({ thunderboltPorts }: Network): CabledPort[] {
  return thunderboltPorts.flatMap((port) => {
    const [peer] = port.peers;
    if (!peer || port.interface === null || port.portName === null) return [];
    return [{ port, name: port.portName, interface: port.interface, peerUuid: peer.domainUuid }];
  });
}

/** A bridge that holds the cables of several Macs: in a ring of such Macs packets go round for ever. */
export function bridgeOver(
  network: Network,
): { bridge: NetworkInterface; cabled: readonly string[] } | undefined {
  const cables = cabledPorts(network).map((port) => port.interface);
  for (const bridge of network.interfaces) {
    const cabled = bridge.members.filter((member) => cables.includes(member));
    if (bridge.up && bridge.kind === 'thunderbolt-bridge' && cabled.length > 1) return { bridge, cabled };
  }
  return undefined;
}

/** What a cabled port lacks: any address at all, or the IPv4 address without which JACCL finds no GID. */
export function missingAddress(network: Network, name: string): 'any' | 'ipv4' | undefined {
  const own = network.interfaces.find((each) => each.name === name);
  if (!own) return undefined;
  const bridge = network.interfaces.find(({ up, members }) => up && members.includes(name));
  // one that is to be taken out of its bridge is a matter of the bridge
  if (bridge && bridge === bridgeOver(network)?.bridge) return undefined;
  const isCarried = [own, bridge].some((each) => each?.up && each.addresses.length > 0);
  if (!isCarried) return 'any';
  return !bridge && isGidMissing(network, name) ? 'ipv4' : undefined;
}

function isGidMissing({ rdma }: Network, name: string): boolean {
  const device = rdma.devices.find((each) => each.interface === name);
  return rdma.state === 'enabled' && device !== undefined && !device.hasIpv4Gid;
}

/**
 * Takes all ports out of the Thunderbolt Bridge, now and at each start. The bridge itself stays: without it, some Macs lose
 * their USB network adapters.
 * @param folder in Espalier's home, for this change alone
 * @returns undefined where no bridge holds several cables
 */
export function bridgeChange(network: Network, daemon: DaemonNow, folder: string): Fix | undefined {
  const found = bridgeOver(network);
  if (!found) return undefined;
  const { bridge } = found;
  const ports = bridge.members;
  const { service } = bridge;
  const isOn = service !== null && service.order !== null;
  const each = (verb: 'deletem' | 'addm'): Argv => [
    IFCONFIG,
    bridge.name,
    ...ports.flatMap((port) => [verb, port]),
  ];
  const enabled = (state: 'on' | 'off'): Argv[] =>
    isOn ? [[NETWORKSETUP, '-setnetworkserviceenabled', service.name, state]] : [];
  const script =
    `n=0; while [ $n -lt ${TRIES} ]; do for p in ${ports.join(' ')}; do ${IFCONFIG} ${bridge.name} deletem $p; done; ` +
    `sleep ${TRY_PAUSE_S}; n=$((n+1)); done`;
  const commands = daemonCommands(
    BRIDGE_LABEL,
    { ProgramArguments: ['/bin/sh', '-c', script], RunAtLoad: true },
    daemon,
    folder,
  );
  return {
    id: 'thunderbolt-bridge',
    description: `take ${ports.join(', ')} out of ${bridge.name}, also at each start of this Mac, so that each cable is a link of its own`,
    why: 'Packets can go round for ever in a ring of Macs that each bridge their cables, and RDMA needs an address on each port.',
    needsRoot: true,
    safe: false, // it may cut the connection by which one came
    files: commands.files,
    apply: [...enabled('off'), each('deletem'), ...commands.apply],
    undo: [...commands.undo, each('addm'), ...enabled('on')],
  };
}

/**
 * A network service for each cabled port that has none, so that macOS gives it addresses: IPv6 link-local, which hops use,
 * and where RDMA is on an IPv4 address, without which JACCL finds no GID.
 */
export function addressChanges(network: Network): Fix[] {
  const apart = bridgeOver(network)?.bridge;
  return cabledPorts(network).flatMap((cable) => {
    const bridge = network.interfaces.find(({ up, members }) => up && members.includes(cable.interface));
    // a bridge that stays has the address of its ports
    if (bridge && bridge !== apart) return [];
    const missing = bridge ? 'any' : missingAddress(network, cable.interface);
    if (!missing) return [];
    const { service = null } = network.interfaces.find(({ name }) => name === cable.interface) ?? {};
    const wantsIpv4 = isGidMissing(network, cable.interface);
    const name = service?.name ?? `Espalier ${cable.name}`;
    const apply: Argv[] = [];
    const undo: Argv[] = [];
    if (service === null) {
      apply.push([NETWORKSETUP, '-createnetworkservice', name, cable.name]);
      apply.push([NETWORKSETUP, '-setv6LinkLocal', name]);
      undo.unshift([NETWORKSETUP, '-removenetworkservice', name]);
    } else if (service.order === null) {
      apply.push([NETWORKSETUP, '-setnetworkserviceenabled', name, 'on']);
      undo.unshift([NETWORKSETUP, '-setnetworkserviceenabled', name, 'off']);
    }
    // what was set by hand is not replaced: its values are not known here, so they could not be brought back
    const isReplaced = wantsIpv4 && service !== null && service.ipv4 === 'dhcp';
    if (isReplaced || (wantsIpv4 && service === null)) {
      const { address, mask } = cableAddress(cable.port.domainUuid, cable.peerUuid);
      apply.push([NETWORKSETUP, '-setmanual', name, address, mask]);
      if (service !== null) undo.unshift([NETWORKSETUP, '-setdhcp', name]);
    }
    if (apply.length === 0) return [];
    return [
      {
        id: `address-${cable.interface}`,
        description: `give ${cable.name} (${cable.interface}) an address of its own`,
        why:
          missing === 'any'
            ? 'Without one the cable carries nothing, and the nodes use a slower way.'
            : 'RDMA over the cable needs an IPv4 address; sockets do not.',
        needsRoot: true,
        // one that replaces another address may cut a connection; one in a bridge comes after the bridge
        safe: !isReplaced && !bridge,
        files: [],
        apply,
        undo,
      },
    ];
  });
}

/**
 * This end's IPv4 address of a cable: both Macs come to the same subnet of four addresses in 10.75.0.0/16 without asking one
 * another, because each knows the UUIDs of both ports. Two of six Macs' fifteen cables meet by chance in one of 150 homes;
 * then one of them reaches only one neighbour by IPv4, and hops, which go by IPv6, notice nothing.
 */
export function cableAddress(ownUuid: string | null, peerUuid: string): { address: string; mask: string } {
  const own = (ownUuid ?? '').toUpperCase();
  const peer = peerUuid.toUpperCase();
  const [low = '', high = ''] = [own, peer].sort();
  const subnet = createHash('sha256').update(`${low} ${high}`).digest().readUInt16BE(0) >> 2;
  const last = (subnet & 63) * 4 + (own === low ? 1 : 2);
  return { address: `10.75.${subnet >> 6}.${last}`, mask: '255.255.255.252' };
}
