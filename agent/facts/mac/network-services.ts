// How macOS sets its interfaces up: `networksetup -listnetworkserviceorder` and `-getinfo`, and the same as far as
// `system_profiler SPNetworkDataType` tells it.
import type { FactNote, NetworkService } from '../../../protocol/facts.ts';
import { MAX_INTERFACES } from '../../../protocol/limits.ts';
import { isRecord, readJson } from '../partial-json.ts';
import { atMost, isInterfaceName, label, lines, note, type Parsed, wholeNumber } from '../text.ts';

const ORDER_SOURCE = 'networksetup -listnetworkserviceorder';
const INFO_SOURCE = 'networksetup -getinfo';
const PROFILER_SOURCE = 'SPNetworkDataType';
const MAX_ORDER = 9_999;

export interface ServiceOfInterface extends NetworkService {
  interface: string;
}

/** Services without an interface (VPNs) are left out; a disabled one has a star where others have a number. */
export function parseServiceOrder(text: string): Parsed<ServiceOfInterface[]> {
  const notes: FactNote[] = [];
  const services: ServiceOfInterface[] = [];
  let current: { name: string; order: number | null } | undefined;
  for (const line of lines(text)) {
    const port = /^\(Hardware Port: .{0,200}, Device: ([^,)]{1,40})\)$/.exec(line)?.[1];
    if (current && isInterfaceName(port)) services.push({ ...current, interface: port, ipv4: null });
    const [, order, name] = /^\((\d{1,4}|\*)\) (.{1,200})$/.exec(line) ?? [];
    const shown = label(name);
    if (shown !== null) current = { name: shown, order: wholeNumber(order) || null };
    else if (line.startsWith('(Hardware Port:')) current = undefined;
  }
  if (services.length === 0) notes.push(note(ORDER_SOURCE, 'it named no service with an interface'));
  return { value: atMost(services, MAX_INTERFACES, ORDER_SOURCE, 'services', notes), notes };
}

/** How a service gets its IPv4 address. */
export function parseServiceInfo(text: string): Parsed<NetworkService['ipv4']> {
  const first = lines(text).find((line) => line !== '') ?? '';
  const method = /^(.{1,60}) Configuration$/.exec(first)?.[1];
  if (method === 'DHCP') return { value: 'dhcp', notes: [] };
  if (method === 'Manual') return { value: 'manual', notes: [] };
  if (method !== undefined) return { value: 'other', notes: [] };
  return { value: null, notes: [note(INFO_SOURCE, `it does not say how the service is set up: ${first}`)] };
}

export interface ProfiledService extends ServiceOfInterface {
  /** `Ethernet`, `AirPort` */
  hardware: string | null;
}

export function parseNetworkProfile(text: string): Parsed<ProfiledService[]> {
  const notes: FactNote[] = [];
  const { value: root, isWhole } = readJson(text);
  if (!isWhole)
    notes.push(note(PROFILER_SOURCE, 'the JSON is cut off or damaged: what stands before counts'));
  const list = isRecord(root) ? root[PROFILER_SOURCE] : undefined;
  if (!Array.isArray(list)) {
    notes.push(note(PROFILER_SOURCE, 'no list of services was found'));
    return { value: [], notes };
  }
  const services = list.filter(isRecord).flatMap((entry): ProfiledService[] => {
    const name = label(entry._name);
    if (name === null || !isInterfaceName(entry.interface)) return [];
    return [
      {
        interface: entry.interface,
        name,
        order: wholeNumber(entry.spnetwork_service_order, MAX_ORDER) || null,
        ipv4: configMethod(entry.IPv4),
        hardware: label(entry.hardware),
      },
    ];
  });
  return { value: atMost(services, MAX_INTERFACES, PROFILER_SOURCE, 'services', notes), notes };
}

function configMethod(ipv4: unknown): NetworkService['ipv4'] {
  const method = isRecord(ipv4) ? label(ipv4.ConfigMethod) : null;
  if (method === null) return null;
  if (method === 'DHCP') return 'dhcp';
  return method === 'Manual' ? 'manual' : 'other';
}
