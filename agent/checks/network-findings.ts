// Pure: findings about one node's own interfaces, Thunderbolt ports and routes. What only both ends of a cable can tell is the
// controller's.
import type { Finding, Fix } from '../../protocol/doctor.ts';
import { finding } from '../../protocol/doctor-findings.ts';
import type { MachineFacts, NetworkInterface, ThunderboltPort } from '../../protocol/facts.ts';
import type { NodeState } from './node-state.ts';

const NETWORKSETUP = '/usr/sbin/networksetup';

export function networkFindings({ name: node, machine }: NodeState): Finding[] {
  return [
    ...machine.thunderboltPorts.flatMap((port) => portFindings(node, machine, port)),
    ...machine.interfaces.flatMap((bridge) => bridgeFindings(node, machine, bridge)),
    ...routeFindings(node, machine),
  ];
}

function portFindings(node: string, machine: MachineFacts, port: ThunderboltPort): Finding[] {
  if (port.peers.length === 0) return [];
  const shown = port.portName ?? `Thunderbolt port ${port.receptacle ?? '?'}`;
  const peer = port.peers[0]?.deviceName ?? 'a Mac';
  const found: Finding[] = [];
  const own = machine.interfaces.find(({ name }) => name === port.interface);
  const bridge = machine.interfaces.find(({ members }) => own && members.includes(own.name));
  const isAddressed = [own, bridge].some((one) => one?.up && one.addresses.length > 0);
  if (own && !isAddressed) {
    found.push(
      finding('port-without-address', {
        node,
        seen: `${shown} (${own.name}) has a cable to ${peer} and no address`,
        remedy: `System Settings → Network → … → Add Service → ${shown}, Configure IPv6: Automatically.`,
        fix: addressFix(own, bridge, shown),
      }),
    );
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

/** A link-local IPv6 address is all that Espalier needs; no other connection changes by it. */
function addressFix(own: NetworkInterface, bridge: NetworkInterface | undefined, port: string): Fix | null {
  if (bridge?.up) return null; // the bridge is what lacks an address: a person knows why it is there
  const { service } = own;
  const base = { needsRoot: true, safe: true };
  if (!service) {
    const name = `Espalier ${port}`;
    return {
      ...base,
      description: `Adds the network service "${name}" for ${own.name}, with a link-local IPv6 address.`,
      apply: [
        [NETWORKSETUP, '-createnetworkservice', name, port],
        [NETWORKSETUP, '-setv6automatic', name],
      ],
      undo: [[NETWORKSETUP, '-removenetworkservice', name]],
    };
  }
  if (service.order === null) {
    return {
      ...base,
      description: `Switches the network service "${service.name}" on.`,
      apply: [[NETWORKSETUP, '-setnetworkserviceenabled', service.name, 'on']],
      undo: [[NETWORKSETUP, '-setnetworkserviceenabled', service.name, 'off']],
    };
  }
  return {
    ...base,
    description: `Gives "${service.name}" a link-local IPv6 address.`,
    apply: [[NETWORKSETUP, '-setv6automatic', service.name]],
    undo: [[NETWORKSETUP, '-setv6off', service.name]],
  };
}

function bridgeFindings(node: string, machine: MachineFacts, bridge: NetworkInterface): Finding[] {
  if (!bridge.up || bridge.kind !== 'thunderbolt-bridge') return [];
  const cabled = machine.thunderboltPorts.filter(
    ({ interface: name, peers }) => name !== null && bridge.members.includes(name) && peers.length > 0,
  );
  if (cabled.length < 2) return [];
  const service = bridge.service?.name;
  return [
    finding('bridge-joins-cables', {
      node,
      seen: `${bridge.name} joins ${cabled.length} ports with a Mac at the other end (${cabled.map((port) => port.interface).join(', ')})`,
      remedy:
        'Switch the Thunderbolt Bridge off and give each port a service of its own, from a screen or over Ethernet: ' +
        'what comes over the cables is cut off meanwhile.',
      fix: service
        ? {
            description: `Switches the network service "${service}" off.`,
            apply: [[NETWORKSETUP, '-setnetworkserviceenabled', service, 'off']],
            undo: [[NETWORKSETUP, '-setnetworkserviceenabled', service, 'on']],
            needsRoot: true,
            safe: false, // it may cut the connection by which one came
          }
        : null,
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
