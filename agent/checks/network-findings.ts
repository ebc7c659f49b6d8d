// Pure: findings about one node's own interfaces, Thunderbolt ports and routes. What only both ends of a cable can tell is the
// controller's.
import type { Finding } from '../../protocol/doctor.ts';
import { finding } from '../../protocol/doctor-findings.ts';
import type { MachineFacts, ThunderboltPort } from '../../protocol/facts.ts';
import { bridgeOver, missingAddress } from './changes/thunderbolt.ts';
import { fixesOf, type NodeState } from './node-state.ts';

export function networkFindings(state: NodeState): Finding[] {
  const { name, machine } = state;
  return [
    ...machine.thunderboltPorts.flatMap((port) => portFindings(state, port)),
    ...bridgeFindings(state),
    ...routeFindings(name, machine),
  ];
}

function portFindings(state: NodeState, port: ThunderboltPort): Finding[] {
  if (port.peers.length === 0) return [];
  const { name: node, machine } = state;
  const shown = port.portName ?? `Thunderbolt port ${port.receptacle ?? '?'}`;
  const peer = port.peers[0]?.deviceName ?? 'a Mac';
  const found: Finding[] = [];
  const missing = port.interface === null ? undefined : missingAddress(machine, port.interface);
  const cable = `${shown} (${port.interface}) has a cable to ${peer}`;
  const fixes = fixesOf(state, `address-${port.interface}`);
  if (missing === 'any') {
    const remedy = `System Settings → Network → … → Add Service → ${shown}, Configure IPv6: Automatically.`;
    found.push(finding('port-without-address', { node, seen: `${cable} and no address`, remedy, fixes }));
  } else if (missing === 'ipv4') {
    const remedy = `System Settings → Network → ${shown} → Details → TCP/IP, and give it an IPv4 address of its own.`;
    found.push(finding('port-without-ipv4', { node, seen: `${cable} and no IPv4 address`, remedy, fixes }));
  }
  const dock = port.peers.find(({ throughDock }) => throughDock !== null)?.throughDock;
  if (dock) {
    found.push(
      finding('cable-through-dock', {
        node,
        seen: `${shown} reaches ${peer} through ${dock}`,
        remedy: 'Plug the cable straight into both Macs.',
      }),
    );
  }
  return found;
}

function bridgeFindings(state: NodeState): Finding[] {
  const found = bridgeOver(state.machine);
  if (!found) return [];
  const { bridge, cabled } = found;
  return [
    finding('bridge-joins-cables', {
      node: state.name,
      seen: `${bridge.name} joins ${cabled.length} ports with a Mac at the other end (${cabled.join(', ')})`,
      remedy:
        'Take the ports out of the Thunderbolt Bridge and give each a service of its own, from a screen or over Ethernet: ' +
        'what comes over the cables is cut off meanwhile. `espalier setup system` there does it.',
      fixes: fixesOf(state, 'thunderbolt-bridge', ...bridge.members.map((name) => `address-${name}`)),
    }),
  ];
}

function routeFindings(node: string, { routes, interfaces }: MachineFacts): Finding[] {
  const route = routes.find(
    ({ family, destination, isScoped }) =>
      family === 'IPv4' && (destination === 'default' || destination === '0.0.0.0/0') && !isScoped,
  );
  const own = interfaces.find(({ name }) => name === route?.interface);
  if (own?.kind === 'thunderbolt' || own?.kind === 'thunderbolt-bridge') {
    return [
      finding('default-route-by-cable', {
        node,
        seen: `the default route leaves by ${own.name} (${own.kind})`,
        remedy: `System Settings → Network → … → Set Service Order, and put ${own.service?.name ?? own.name} last.`,
      }),
    ];
  }
  const wire = interfaces.find(
    ({ kind, up, active, addresses }) =>
      kind === 'ethernet' && up && active === true && addresses.some(({ family }) => family === 'IPv4'),
  );
  if (own?.kind !== 'wifi' || !wire) return [];
  return [
    finding('default-route-by-wifi', {
      node,
      seen: `the default route leaves by Wi-Fi (${own.name}), though ${wire.name} has a link and an address`,
      remedy: 'System Settings → Network → … → Set Service Order, and put the wire above Wi-Fi.',
    }),
  ];
}
