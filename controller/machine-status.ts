// A machine's facts, cut down for the public status: every list and every text short, whatever the node told. Pure.
import type { InterfaceAddress, InterfaceKind, MachineFacts, NetworkInterface } from '../protocol/facts.ts';
import { MAX_SHOWN_INTERFACES, MAX_SHOWN_LABEL_CHARS, MAX_SHOWN_PORTS } from '../protocol/limits.ts';
import type { NodeMachine } from '../protocol/status.ts';

const MAX_ADDRESSES = 2;
const MAX_PEERS = 2;

/** What people look for first. Those that are not listed are not shown: they lead to no other node. */
const SHOWN_KINDS: readonly InterfaceKind[] = [
  'thunderbolt',
  'thunderbolt-bridge',
  'ethernet',
  'wifi',
  'bridge',
  'vpn',
];

export function machineStatus(machine: MachineFacts): NodeMachine {
  const { os, gpuMemoryLimit, load } = machine;
  const { traffic: _, ...shownLoad } = load;
  return {
    modelIdentifier: shortened(machine.modelIdentifier),
    modelName: shortened(machine.modelName),
    os: shortened(osText(os)),
    coresPerformance: machine.coresPerformance,
    coresEfficiency: machine.coresEfficiency,
    coresGpu: machine.coresGpu,
    gpuMemoryLimit: gpuMemoryLimit ? { bytes: gpuMemoryLimit.bytes, source: gpuMemoryLimit.source } : null,
    interfaces: shownInterfaces(machine.interfaces).map(({ name, kind, active, linkGbps, addresses }) => {
      return { name, kind, active, linkGbps, addresses: addresses.slice(0, MAX_ADDRESSES).map(addressText) };
    }),
    thunderboltPorts: machine.thunderboltPorts.slice(0, MAX_SHOWN_PORTS).map((port) => ({
      receptacle: port.receptacle,
      interface: port.interface,
      connected: port.connected,
      linkGbps: port.linkGbps,
      domainUuid: port.domainUuid,
      peers: port.peers.slice(0, MAX_PEERS).map(({ domainUuid, deviceName, throughDock }) => {
        return { domainUuid, name: shortened(deviceName), throughDock: throughDock !== null };
      }),
    })),
    rdma: machine.rdma.state,
    powerSource: machine.power?.source ?? null,
    sleepMinutes: machine.power?.sleepMinutes ?? null,
    thermalLevel: machine.thermal?.level ?? null,
    load: shownLoad,
    noteCount: machine.notes.length,
  };
}

function shownInterfaces(interfaces: readonly NetworkInterface[]): NetworkInterface[] {
  const rank = ({ kind }: NetworkInterface) => SHOWN_KINDS.indexOf(kind);
  return interfaces
    .filter((entry) => entry.up && rank(entry) >= 0)
    .sort((a, b) => rank(a) - rank(b))
    .slice(0, MAX_SHOWN_INTERFACES);
}

function addressText({ address, zone }: InterfaceAddress): string {
  return zone === null ? address : `${address}%${zone}`;
}

function osText({ name, version, build }: MachineFacts['os']): string | null {
  const text = [name, version, build === null ? null : `(${build})`]
    .filter((part) => part !== null)
    .join(' ');
  return text === '' ? null : text;
}

/** By whole characters. */
function shortened(text: string | null): string | null {
  if (text === null || text.length <= MAX_SHOWN_LABEL_CHARS) return text;
  let cut = '';
  for (const character of text) {
    if (cut.length + character.length >= MAX_SHOWN_LABEL_CHARS) break;
    cut += character;
  }
  return `${cut}…`;
}
