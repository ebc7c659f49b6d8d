// `system_profiler SPThunderboltDataType`, as JSON or as text: the ports, their cables, and the Macs at the other ends,
// also behind docks. Which network interface belongs to a port is not in here.
import type { FactNote, ThunderboltPeer, ThunderboltPort } from '../../../protocol/facts.ts';
import { MAX_THUNDERBOLT_PEERS, MAX_THUNDERBOLT_PORTS } from '../../../protocol/limits.ts';
import { isRecord, readJson } from '../partial-json.ts';
import { atMost, label, note, type Parsed, uuid, wholeNumber } from '../text.ts';
import { thunderboltTextAsJson } from './thunderbolt-text.ts';

const SOURCE = 'SPThunderboltDataType';
/** Thunderbolt allows six devices in a row. */
const MAX_CHAIN = 8;
const MAX_DEVICES = 256;
/** The service by which a Mac offers RDMA; its name differs between captures, its number does not. */
const RDMA_PROTOCOL_ID = 64087;
const LINK_CONNECTED = '0x2';

/** A port without the names that only networksetup knows. */
export type BarePort = Omit<ThunderboltPort, 'portName' | 'interface'>;

type Item = Record<string, unknown>;

export function parseThunderbolt(text: string): Parsed<BarePort[]> {
  const notes: FactNote[] = [];
  const buses = text.trimStart().startsWith('{') ? fromJson(text, notes) : thunderboltTextAsJson(text);
  if (buses === undefined) {
    notes.push(note(SOURCE, 'no list of ports was found'));
    return { value: [], notes };
  }
  const ports = buses.slice(0, MAX_DEVICES).flatMap((bus) => portsOfBus(bus, notes));
  noteLoops(ports, notes);
  return { value: atMost(ports, MAX_THUNDERBOLT_PORTS, SOURCE, 'ports', notes), notes };
}

function fromJson(text: string, notes: FactNote[]): Item[] | undefined {
  const { value: root, isWhole } = readJson(text);
  if (!isWhole) notes.push(note(SOURCE, 'the JSON is cut off or damaged: what stands before counts'));
  const buses = isRecord(root) ? root[SOURCE] : undefined;
  return Array.isArray(buses) ? buses.filter(isRecord) : undefined;
}

/** An Apple silicon Mac has one socket a bus; Intel ones had two, and told of both. */
function portsOfBus(bus: Item, notes: FactNote[]): BarePort[] {
  const tags = Object.entries(bus).filter(([key, tag]) => /^receptacle_\d+_tag$/.test(key) && isRecord(tag));
  const sockets = tags.length > 0 ? tags.map(([, tag]) => tag as Item) : [{}];
  const devices = items(bus);
  const withDevices = Math.max(0, sockets.findIndex(isConnected));
  const name = label(bus._name) ?? 'a bus';
  if (tags.length === 0) notes.push(note(SOURCE, `${name} tells nothing of its socket`));
  return sockets.slice(0, MAX_THUNDERBOLT_PORTS).map((socket, index): BarePort => {
    const own = index === withDevices ? devices : [];
    const connected = isConnected(socket) || own.length > 0;
    return {
      receptacle: wholeNumber(socket.receptacle_id_key, 999),
      connected,
      ...speeds(socket.current_speed_key, connected, `${name}`, notes),
      domainUuid: uuid(bus.domain_uuid_key),
      peers: atMost(peersOf(own, name, notes), MAX_THUNDERBOLT_PEERS, SOURCE, `peers at ${name}`, notes),
    };
  });
}

function isConnected(socket: Item): boolean {
  const status = label(socket.receptacle_status_key);
  if (status === 'receptacle_connected') return true;
  if (status === 'receptacle_no_devices_connected') return false;
  return label(socket.link_status_key) === LINK_CONNECTED;
}

/** `80 Gb/s` is what a cable runs at, `Up to 120 Gb/s` what an idle port could do. */
function speeds(
  printed: unknown,
  connected: boolean,
  where: string,
  notes: FactNote[],
): { linkGbps: number | null; maxGbps: number | null } {
  const text = label(printed);
  if (text === null) return { linkGbps: null, maxGbps: null };
  const numbers = [...text.matchAll(/(\d{1,4}(?:\.\d{1,3})?)/g)].map(([number]) => Number(number));
  const slowest = Math.min(...numbers);
  if (numbers.length === 0 || numbers.length > 4 || !/Gb\/s/i.test(text)) {
    notes.push(note(SOURCE, `${where}: a speed in an unknown form: ${text}`));
    return { linkGbps: null, maxGbps: null };
  }
  if (/up to/i.test(text)) return { linkGbps: null, maxGbps: Math.max(...numbers) };
  if (!connected) return { linkGbps: null, maxGbps: null };
  if (numbers.some((number) => number !== slowest)) {
    notes.push(note(SOURCE, `${where}: the two directions differ (${text}); the slower one counts`));
  }
  return { linkGbps: slowest, maxGbps: null };
}

/** Those with a domain UUID, nearest first; what hangs behind a dock is found, too. */
function peersOf(devices: Item[], where: string, notes: FactNote[]): ThunderboltPeer[] {
  const peers: ThunderboltPeer[] = [];
  let level = devices.map((device) => ({ device, dock: null as string | null }));
  for (let depth = 0; depth < MAX_CHAIN && level.length > 0; depth += 1) {
    const next: typeof level = [];
    for (const { device, dock } of level.slice(0, MAX_DEVICES)) {
      const domainUuid = uuid(device.domain_uuid_key);
      if (domainUuid !== null) peers.push(peer(device, domainUuid, dock));
      else noteMacWithoutDomain(device, where, notes);
      const name = label(device._name) ?? label(device.device_name_key) ?? 'a dock';
      next.push(...items(device).map((child) => ({ device: child, dock: name })));
    }
    level = next;
  }
  return peers;
}

function peer(device: Item, domainUuid: string, throughDock: string | null): ThunderboltPeer {
  return {
    domainUuid,
    deviceName: label(device._name),
    vendor: label(device.vendor_name_key),
    model: label(device.device_name_key),
    throughDock,
    offersRdma: offersRdma(device.services_title),
  };
}

function offersRdma(services: unknown): boolean | null {
  if (!Array.isArray(services)) return null;
  const ids = services.slice(0, MAX_DEVICES).map((service) => {
    return isRecord(service) ? wholeNumber(service.protocol_id_key) : null;
  });
  if (ids.includes(RDMA_PROTOCOL_ID)) return true;
  return ids.every((id) => id !== null) ? false : null;
}

function noteMacWithoutDomain(device: Item, where: string, notes: FactNote[]): void {
  const model = label(device.device_name_key);
  if (model === null || !/^(?:Mac|iMac|MacBook)[A-Za-z]*\d{1,3},\d{1,3}$/.test(model)) return;
  notes.push(note(SOURCE, `${where}: ${model} shows no domain UUID, so it cannot be told which node it is`));
}

/** A cable from one port of a Mac to another one of the same Mac is of no use to a cluster. */
function noteLoops(ports: BarePort[], notes: FactNote[]): void {
  const own = new Set(ports.map((port) => port.domainUuid));
  for (const { receptacle, peers } of ports) {
    if (peers.some((peer) => own.has(peer.domainUuid))) {
      notes.push(note(SOURCE, `the cable in port ${receptacle ?? '?'} leads back to this machine`));
    }
  }
}

function items(item: Item): Item[] {
  return Array.isArray(item._items) ? item._items.slice(0, MAX_DEVICES).filter(isRecord) : [];
}
