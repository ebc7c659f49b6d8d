// The interfaces of a Mac, put together from what ifconfig, networksetup and system_profiler each know of them. Pure.
import type { NetworkInterface, NetworkService } from '../../../protocol/facts.ts';
import { interfaceKind } from '../interface-kind.ts';
import type { HardwarePort } from './hardware-ports.ts';
import type { IfconfigInterface } from './ifconfig.ts';
import type { ProfiledService, ServiceOfInterface } from './network-services.ts';

export function macInterfaces(
  found: readonly IfconfigInterface[],
  ports: readonly HardwarePort[],
  services: readonly ServiceOfInterface[],
  profiled: readonly ProfiledService[],
): NetworkInterface[] {
  const portNames = new Map(ports.map((port) => [port.interface, port.portName]));
  const isThunderbolt = (name: string) => /^Thunderbolt\s\d+$/i.test(portNames.get(name) ?? '');
  return found.map(({ isBridge, type, ...entry }): NetworkInterface => {
    const profile = profiled.find((service) => service.interface === entry.name);
    const portName = portNames.get(entry.name) ?? null;
    return {
      ...entry,
      portName,
      kind: interfaceKind({
        name: entry.name,
        portName,
        hardware: profile?.hardware ?? type,
        isBridge,
        joinsThunderbolt: entry.members.length > 0 && entry.members.every(isThunderbolt),
      }),
      service: serviceOf(entry.name, services, profile) ?? serviceOf(entry.name, profiled, profile),
    };
  });
}

/** Of several services of one interface, the first that is enabled. */
function serviceOf(
  name: string,
  services: readonly ServiceOfInterface[],
  profile: ProfiledService | undefined,
): NetworkService | null {
  const own = services.filter((service) => service.interface === name);
  const first = own.toSorted((a, b) => (a.order ?? Infinity) - (b.order ?? Infinity))[0];
  return first ? { name: first.name, order: first.order, ipv4: first.ipv4 ?? profile?.ipv4 ?? null } : null;
}
