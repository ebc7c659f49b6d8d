// A machine's facts as text for people, pure. The columns are as wide as their values; what was not seen is a dash.
import { formatBytes, formatShare, printable, UNMEASURED } from '../../dashboard/format.ts';
import type {
  InterfaceAddress,
  MachineFacts,
  NetworkInterface,
  RdmaDevice,
  ThunderboltPeer,
  ThunderboltPort,
} from '../../protocol/facts.ts';
import { table } from './table.ts';

/** Several lines without a last line break. */
export function factsReport(facts: MachineFacts): string {
  const sections = [
    machine(facts),
    load(facts),
    interfaces(facts),
    thunderbolt(facts),
    rdma(facts),
    notes(facts),
  ];
  return sections.filter((section) => section !== '').join('\n\n');
}

function machine(facts: MachineFacts): string {
  const { os, gpuMemoryLimit: limit } = facts;
  const model = words([facts.modelName, facts.modelIdentifier && `(${facts.modelIdentifier})`]);
  return table([
    ['model', model],
    ['chip', words([facts.chip])],
    ['cores', cores(facts)],
    ['memory', formatBytes(facts.memoryBytes)],
    [
      'GPU limit',
      limit ? `${formatBytes(limit.bytes)} (${limit.source}: ${printable(limit.note)})` : UNMEASURED,
    ],
    ['system', words([os.name, os.version, os.build && `(${os.build})`])],
    ['power', power(facts)],
    ['heat', facts.thermal?.level ?? UNMEASURED],
  ]);
}

function cores({ coresPerformance, coresEfficiency, coresGpu }: MachineFacts): string {
  const kinds = [
    [coresPerformance, 'performance'],
    [coresEfficiency, 'efficiency'],
    [coresGpu, 'GPU'],
  ] as const;
  const known = kinds.filter(([count]) => count !== null).map(([count, kind]) => `${count} ${kind}`);
  return known.join(', ') || UNMEASURED;
}

function power({ power: facts }: MachineFacts): string {
  if (!facts) return UNMEASURED;
  const { source, sleepMinutes, restartAfterPowerLoss } = facts;
  const parts = [
    source === 'ac' ? 'from the mains' : source && `from the ${source}`,
    sleepMinutes === null
      ? null
      : sleepMinutes === 0
        ? 'never sleeps'
        : `sleeps after ${sleepMinutes} min of idleness`,
    restartAfterPowerLoss === null
      ? null
      : `${restartAfterPowerLoss ? 'starts' : 'stays off'} after a power failure`,
  ];
  return parts.filter((part) => part !== null).join(', ') || UNMEASURED;
}

function load({ load: now }: MachineFacts): string {
  const rows = [
    ['GPU in use', now.gpuUseShare === null ? null : formatShare(now.gpuUseShare)],
    ['GPU memory', now.gpuMemoryBytes === null ? null : formatBytes(now.gpuMemoryBytes)],
    ['memory free', now.memoryAvailableBytes === null ? null : formatBytes(now.memoryAvailableBytes)],
    ['memory pressure', now.memoryPressure],
    ['draws', now.watts === null ? null : `${now.watts.toFixed(0)} W`],
  ];
  const known = rows.filter((row): row is [string, string] => row[1] !== null);
  return known.length === 0 ? '' : `Now\n${table(known)}`;
}

function interfaces(facts: MachineFacts): string {
  const shown = facts.interfaces.filter(isWorthALine);
  if (shown.length === 0) return 'No network interfaces.';
  const heading = ['interface', 'kind', 'port', 'state', 'speed', 'MTU', 'addresses'];
  const rows = shown.map((entry) => [
    entry.name,
    entry.kind,
    words([entry.portName]),
    state(entry),
    speed(entry.linkGbps),
    String(entry.mtu ?? UNMEASURED),
    [...entry.addresses.map(address), ...joined(entry)].join(' '),
  ]);
  const hidden = facts.interfaces.length - shown.length;
  const rest =
    hidden > 0 ? `\n(${hidden} more of the system's own or without addresses: --json shows them)` : '';
  return table([heading, ...rows]) + rest;
}

function isWorthALine({ kind, addresses }: NetworkInterface): boolean {
  if (kind === 'loopback' || kind === 'other') return false;
  return addresses.length > 0 || kind === 'thunderbolt' || kind === 'thunderbolt-bridge';
}

function state({ up, active }: NetworkInterface): string {
  if (!up) return 'off';
  return active === null ? 'on' : active ? 'active' : 'no link';
}

function joined({ members }: NetworkInterface): string[] {
  return members.length > 0 ? ['joins', ...members] : [];
}

function address({ address: text, prefixLength, zone }: InterfaceAddress): string {
  return `${text}${zone === null ? '' : `%${zone}`}/${prefixLength}`;
}

function thunderbolt({ thunderboltPorts }: MachineFacts): string {
  if (thunderboltPorts.length === 0) return 'No Thunderbolt ports seen.';
  const heading = ['port', 'interface', 'cable', 'at the other end'];
  return table([heading, ...thunderboltPorts.map(portCells)]);
}

function portCells(port: ThunderboltPort): string[] {
  const { receptacle, portName, connected, linkGbps, maxGbps, peers } = port;
  const idle = maxGbps === null ? 'none' : `none (up to ${speed(maxGbps)})`;
  return [
    portName === null ? `socket ${receptacle ?? '?'}` : printable(portName),
    port.interface ?? UNMEASURED,
    connected ? speed(linkGbps) : idle,
    peers.length > 0 ? peers.map(peer).join('; ') : connected ? 'no Mac' : '',
  ];
}

function peer({ deviceName, model, throughDock, offersRdma }: ThunderboltPeer): string {
  const dock = throughDock === null ? null : `through ${throughDock}`;
  return words([deviceName ?? 'a Mac', model && `(${model})`, dock, offersRdma ? 'with RDMA' : null]);
}

function rdma({ rdma: { state: word, devices } }: MachineFacts): string {
  if (devices.length === 0) return `RDMA: ${word}`;
  const heading = ['device', 'port', 'IPv4 GID'];
  const rows = devices.map((device: RdmaDevice) => {
    return [device.name, device.portState ?? UNMEASURED, device.hasIpv4Gid ? 'yes' : 'no'];
  });
  return `RDMA: ${word}\n${table([heading, ...rows])}`;
}

function notes({ notes: list }: MachineFacts): string {
  if (list.length === 0) return '';
  return `Notes\n${list.map(({ source, text }) => `  ${printable(source)}: ${printable(text)}`).join('\n')}`;
}

function speed(gbps: number | null): string {
  return gbps === null ? UNMEASURED : `${gbps} Gb/s`;
}

function words(parts: readonly (string | null)[]): string {
  return (
    parts
      .filter((part) => part !== null)
      .map(printable)
      .join(' ') || UNMEASURED
  );
}
