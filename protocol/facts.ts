// What a machine is, beyond the identity of its node: chip, memory, Thunderbolt, networks, RDMA, power. Every value that
// was not seen is null, and `notes` say why. It knows nothing of where the values come from.
import { isIPv4, isIPv6 } from 'node:net';
import { z } from 'zod';
import {
  MAX_FACT_CHARS,
  MAX_FACT_NOTES,
  MAX_INTERFACE_ADDRESSES,
  MAX_INTERFACES,
  MAX_NOTE_CHARS,
  MAX_RDMA_DEVICES,
  MAX_RDMA_GIDS,
  MAX_ROUTES,
  MAX_THUNDERBOLT_PEERS,
  MAX_THUNDERBOLT_PORTS,
} from './limits.ts';

/** No control characters and no halves of characters: it is shown in terminals and takes at most 4 bytes a character. */
const PLAIN = /^[^\p{Cc}\p{Cs}]*$/u;
const Label = z.string().min(1).max(MAX_FACT_CHARS).regex(PLAIN);
const Sentence = z.string().min(1).max(MAX_NOTE_CHARS).regex(PLAIN);
const Count = z.int().min(0);
const Bytes = z.int().min(0);
const Share = z.number().min(0).max(1);
/** Far over any cable: 10,000 Gb/s. */
const Gbps = z.number().min(0).max(10_000);

/** `en5`, `bridge0`, `utun4`: what the system calls a network interface. */
export const InterfaceName = z
  .string()
  .max(32)
  .regex(/^[A-Za-z][\w.@:-]*$/);

/** Something that was missing, cut off or strange, and where. */
export const FactNote = z.object({ source: Label, text: Sentence });
export type FactNote = z.infer<typeof FactNote>;

export const InterfaceKind = z.enum([
  'thunderbolt',
  'thunderbolt-bridge',
  'ethernet',
  'wifi',
  'bridge',
  'vpn',
  'loopback',
  'other',
]);
export type InterfaceKind = z.infer<typeof InterfaceKind>;

export const InterfaceAddress = z
  .object({
    family: z.enum(['IPv4', 'IPv6']),
    address: z.string().max(45),
    prefixLength: z.int().min(0).max(128),
    /** of a link-local IPv6 address: the interface that it is valid on; null for all others */
    zone: InterfaceName.nullable(),
  })
  .refine(({ family, address }) => (family === 'IPv4' ? isIPv4(address) : isIPv6(address)), 'no IP address');
export type InterfaceAddress = z.infer<typeof InterfaceAddress>;

/** How macOS sets an interface up. */
export const NetworkService = z.object({
  name: Label,
  /** its place in the service order, 1 first; null when the service is disabled */
  order: z.int().min(1).nullable(),
  ipv4: z.enum(['dhcp', 'manual', 'other']).nullable(),
});
export type NetworkService = z.infer<typeof NetworkService>;

export const NetworkInterface = z.object({
  name: InterfaceName,
  kind: InterfaceKind,
  /** the hardware port: `Thunderbolt 1`, `Wi-Fi`, `Ethernet Adapter (en4)` */
  portName: Label.nullable(),
  mtu: Count.nullable(),
  /** switched on; says nothing of a cable */
  up: z.boolean(),
  /** somebody is at the other end, as the driver says */
  active: z.boolean().nullable(),
  addresses: z.array(InterfaceAddress).max(MAX_INTERFACE_ADDRESSES),
  /** of a bridge */
  members: z.array(InterfaceName).max(MAX_INTERFACES),
  /** as printed: `autoselect <full-duplex>`, `10Gbase-T` */
  media: Label.nullable(),
  /** where the driver tells it */
  linkGbps: Gbps.nullable(),
  service: NetworkService.nullable(),
});
export type NetworkInterface = z.infer<typeof NetworkInterface>;

/** A Mac at the other end of a Thunderbolt cable. Drives and docks are none: they have no domain of their own. */
export const ThunderboltPeer = z.object({
  /** of the peer's port: the peer lists the same UUID as that port's own */
  domainUuid: z.guid(),
  /** `Mac Studio` */
  deviceName: Label.nullable(),
  vendor: Label.nullable(),
  /** `Mac15,14` */
  model: Label.nullable(),
  /** the dock or hub that it is behind; null when the cable leads straight to it */
  throughDock: Label.nullable(),
  /** whether it offers RDMA, which it does when RDMA is switched on there; null when it did not say */
  offersRdma: z.boolean().nullable(),
});
export type ThunderboltPeer = z.infer<typeof ThunderboltPeer>;

export const ThunderboltPort = z.object({
  /** the socket's number, as in `Thunderbolt 1` */
  receptacle: z.int().min(0).max(999).nullable(),
  portName: Label.nullable(),
  /** looked up by the port's name; the numbers of the two are unrelated */
  interface: InterfaceName.nullable(),
  connected: z.boolean(),
  /** what the cable was trained to, the slower direction where they differ; null while nothing is connected */
  linkGbps: Gbps.nullable(),
  /** what an idle port could do; macOS does not say it of a port in use */
  maxGbps: Gbps.nullable(),
  domainUuid: z.guid().nullable(),
  /** nearest first; more than one only behind a dock or hub */
  peers: z.array(ThunderboltPeer).max(MAX_THUNDERBOLT_PEERS),
});
export type ThunderboltPort = z.infer<typeof ThunderboltPort>;

export const RdmaDevice = z.object({
  /** `rdma_en5` */
  name: InterfaceName,
  interface: InterfaceName.nullable(),
  portState: z.enum(['active', 'armed', 'initializing', 'down', 'other']).nullable(),
  gids: z.array(z.string().max(45).refine(isIPv6, 'no GID')).max(MAX_RDMA_GIDS),
  /** JACCL needs one; a port has one only while its interface has an IPv4 address of its own */
  hasIpv4Gid: z.boolean(),
});
export type RdmaDevice = z.infer<typeof RdmaDevice>;

export const Rdma = z.object({
  state: z.enum(['unavailable', 'disabled', 'enabled-no-device', 'enabled']),
  devices: z.array(RdmaDevice).max(MAX_RDMA_DEVICES),
});
export type Rdma = z.infer<typeof Rdma>;

export const PowerFacts = z.object({
  source: z.enum(['ac', 'battery', 'ups']).nullable(),
  /** of idleness until the machine sleeps; 0 never */
  sleepMinutes: Count.nullable(),
  diskSleepMinutes: Count.nullable(),
  wakeOnNetwork: z.boolean().nullable(),
  restartAfterPowerLoss: z.boolean().nullable(),
  /** pmset's number: 0 automatic, 1 low power, 2 high power */
  powerMode: Count.nullable(),
});
export type PowerFacts = z.infer<typeof PowerFacts>;

export const ThermalFacts = z.object({
  /** macOS's thermal pressure */
  level: z.enum(['nominal', 'moderate', 'heavy', 'trapping', 'sleeping']).nullable(),
  /** what heat leaves of the CPU's speed; macOS prints it only after it has changed */
  cpuSpeedShare: Share.nullable(),
});
export type ThermalFacts = z.infer<typeof ThermalFacts>;

/** How much of the memory the GPU may keep resident. */
export const GpuMemoryLimit = z.object({
  bytes: Bytes,
  /** measured: Metal's own figure · sysctl: somebody set it · estimate: a fraction of the memory */
  source: z.enum(['measured', 'sysctl', 'estimate']),
  note: Sentence,
});
export type GpuMemoryLimit = z.infer<typeof GpuMemoryLimit>;

export const Route = z.object({
  family: z.enum(['IPv4', 'IPv6']),
  /** `default`, `192.168.1.0/24`, `fe80::%en5/64` */
  destination: Label,
  gateway: Label.nullable(),
  interface: InterfaceName,
  /** taken only by what is bound to the interface: others go by the first route that is not scoped */
  isScoped: z.boolean(),
});
export type Route = z.infer<typeof Route>;

/** What changes all the time; a change of nothing else is no news. */
export const MachineLoad = z.object({
  gpuUseShare: Share.nullable(),
  gpuMemoryBytes: Bytes.nullable(),
  memoryPressure: z.enum(['normal', 'warning', 'critical']).nullable(),
  /** macOS's "system-wide memory free percentage" */
  memoryFreeShare: Share.nullable(),
  /** free, or held only as a cache of files */
  memoryAvailableBytes: Bytes.nullable(),
  /** what the whole machine draws */
  watts: z.number().min(0).max(100_000).nullable(),
  /** since the interface came up */
  traffic: z
    .array(z.object({ interface: InterfaceName, receivedBytes: Bytes, sentBytes: Bytes }))
    .max(MAX_INTERFACES),
});
export type MachineLoad = z.infer<typeof MachineLoad>;

/** One record for macOS and Linux. At most about 1 MiB as JSON, whoever sends it. */
export const MachineFacts = z.object({
  /** `Mac15,14` */
  modelIdentifier: Label.nullable(),
  /** `Mac Studio` */
  modelName: Label.nullable(),
  chip: Label.nullable(),
  coresPerformance: Count.nullable(),
  coresEfficiency: Count.nullable(),
  coresGpu: Count.nullable(),
  memoryBytes: Bytes.nullable(),
  /** null where there is no GPU that shares the memory */
  gpuMemoryLimit: GpuMemoryLimit.nullable(),
  os: z.object({ name: Label.nullable(), version: Label.nullable(), build: Label.nullable() }),
  interfaces: z.array(NetworkInterface).max(MAX_INTERFACES),
  routes: z.array(Route).max(MAX_ROUTES),
  thunderboltPorts: z.array(ThunderboltPort).max(MAX_THUNDERBOLT_PORTS),
  rdma: Rdma,
  power: PowerFacts.nullable(),
  thermal: ThermalFacts.nullable(),
  load: MachineLoad,
  notes: z.array(FactNote).max(MAX_FACT_NOTES),
});
export type MachineFacts = z.infer<typeof MachineFacts>;

/** Whether two records say the same of a machine, its load aside. */
export function sameFacts(a: MachineFacts, b: MachineFacts): boolean {
  return JSON.stringify({ ...a, load: null }) === JSON.stringify({ ...b, load: null });
}
