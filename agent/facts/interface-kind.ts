// What sort of network an interface leads to, by what the system says of it. Pure; the caller knows the system.
import type { InterfaceKind } from '../../protocol/facts.ts';

export interface InterfaceSigns {
  name: string;
  portName: string | null;
  /** what system_profiler calls the hardware, or ifconfig the type: `AirPort`, `Wi-Fi`, `Ethernet` */
  hardware: string | null;
  isBridge: boolean;
  /** of a bridge: whether all members are Thunderbolt ports */
  joinsThunderbolt: boolean;
}

/** Tunnels, by the names that macOS and common VPNs give them. */
const TUNNEL = /^(?:utun|tun|tap|ppp|ipsec|feth|zt|wg|tailscale|nordlynx)[\w-]*$/;
/** Apple's own: AirDrop's links, the virtual access point, the links to its coprocessors, tunnels of old. */
const INTERNAL = /^(?:awdl|llw|ap|anpi|gif|stf|pktap|iptap|nan|vmenet|vnic|XHC)\d/;

/** A name alone never makes an interface a Thunderbolt one: which enN is a Thunderbolt port differs from Mac to Mac. */
export function interfaceKind({
  name,
  portName,
  hardware,
  isBridge,
  joinsThunderbolt,
}: InterfaceSigns): InterfaceKind {
  if (/^lo\d*$/.test(name)) return 'loopback';
  if (isBridge)
    return joinsThunderbolt || /^Thunderbolt/i.test(portName ?? '') ? 'thunderbolt-bridge' : 'bridge';
  if (/^Thunderbolt\s\d+$/i.test(portName ?? '')) return 'thunderbolt';
  const described = `${portName ?? ''} ${hardware ?? ''}`;
  if (/Wi-?Fi|AirPort|WLAN/i.test(described)) return 'wifi';
  if (TUNNEL.test(name)) return 'vpn';
  if (INTERNAL.test(name) || /Bluetooth|iPhone|iPad/i.test(described)) return 'other';
  if (/Ethernet|\bLAN\b/i.test(described)) return 'ethernet';
  // docks and displays call their ports by their own names
  return portName !== null && /^en\d+$/.test(name) ? 'ethernet' : 'other';
}
