// RDMA over Thunderbolt: `rdma_ctl status`, `ibv_devices` and `ibv_devinfo -v`. Whether RDMA would work is not decided
// here: a TB4 Mac has devices, too, and crashes when they are used.
import { isIPv6 } from 'node:net';
import type { FactNote, Rdma, RdmaDevice } from '../../../protocol/facts.ts';
import { MAX_RDMA_DEVICES, MAX_RDMA_GIDS } from '../../../protocol/limits.ts';
import { atMost, isInterfaceName, lines, note, type Parsed } from '../text.ts';

/** Null when it says neither. */
export function parseRdmaStatus(text: string): Parsed<'enabled' | 'disabled' | null> {
  const word = lines(text)
    .map((line) =>
      /^(?:\S{0,40}:\s*|\S{0,40}\s+is\s+)?(enabled|disabled)\.?$/i.exec(line.trim())?.[1]?.toLowerCase(),
    )
    .find((found) => found !== undefined);
  if (word === 'enabled' || word === 'disabled') return { value: word, notes: [] };
  return { value: null, notes: [note('rdma_ctl status', 'it says neither enabled nor disabled')] };
}

/** The names of the devices; only a heading stands there while RDMA is off. */
export function parseIbvDevices(text: string): Parsed<string[]> {
  const notes: FactNote[] = [];
  const names = lines(text)
    .map((line) => /^\s*(\S{1,40})\s+[0-9a-f]{16}$/i.exec(line.slice(0, 200))?.[1])
    .filter(isInterfaceName);
  return { value: atMost([...new Set(names)], MAX_RDMA_DEVICES, 'ibv_devices', 'devices', notes), notes };
}

const STATES: Record<string, RdmaDevice['portState']> = {
  PORT_ACTIVE: 'active',
  PORT_ARMED: 'armed',
  PORT_INIT: 'initializing',
  PORT_DOWN: 'down',
};

export function parseIbvDevinfo(text: string): Parsed<RdmaDevice[]> {
  const source = 'ibv_devinfo';
  const notes: FactNote[] = [];
  const devices = new Map<string, RdmaDevice>();
  let current: RdmaDevice | undefined;
  for (const line of lines(text)) {
    const [, key, value] = /^\s*(hca_id|state|GID\[ *\d{1,5}\]):\s+(\S{1,64})/.exec(line.slice(0, 300)) ?? [];
    if (value === undefined) continue;
    if (key === 'hca_id') {
      current = isInterfaceName(value) ? (devices.get(value) ?? rdmaDevice(value)) : undefined;
      if (current) devices.set(current.name, current);
    } else if (current && key === 'state') {
      current.portState = STATES[value] ?? 'other';
    } else if (current) {
      takeGid(current, value);
    }
  }
  for (const device of devices.values())
    device.gids = atMost(device.gids, MAX_RDMA_GIDS, source, 'GIDs', notes);
  return { value: atMost([...devices.values()], MAX_RDMA_DEVICES, source, 'devices', notes), notes };
}

/** A device that only a list names. */
export function rdmaDevice(name: string): RdmaDevice {
  const rest = /^rdma_(.+)$/.exec(name)?.[1];
  return {
    name,
    interface: isInterfaceName(rest) ? rest : null,
    portState: null,
    gids: [],
    hasIpv4Gid: false,
  };
}

/** `unavailable` where there is no rdma_ctl, or where it says neither. */
export function rdmaFacts(
  status: 'enabled' | 'disabled' | null,
  listed: readonly string[],
  described: readonly RdmaDevice[],
): Rdma {
  const others = listed.filter((name) => described.every((device) => device.name !== name)).map(rdmaDevice);
  const devices = [...described, ...others].slice(0, MAX_RDMA_DEVICES);
  if (status === null) return { state: 'unavailable', devices };
  if (status === 'disabled') return { state: 'disabled', devices };
  return { state: devices.length > 0 ? 'enabled' : 'enabled-no-device', devices };
}

function takeGid(device: RdmaDevice, printed: string): void {
  const gid = printed.toLowerCase();
  if (gid.length > 45 || !isIPv6(gid)) return;
  if (!device.gids.includes(gid) && device.gids.length <= MAX_RDMA_GIDS) device.gids.push(gid);
  if (/^(?:::|(?:0{1,4}:){5})ffff:(?:\d+\.|[0-9a-f]{1,4}:[0-9a-f]{1,4}$)/.test(gid)) device.hasIpv4Gid = true;
}
