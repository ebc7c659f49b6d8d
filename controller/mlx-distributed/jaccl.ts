// Whether MLX's ranks can use RDMA over Thunderbolt (its backend is called JACCL), and by which devices. Pure; what it takes
// comes from the machines' facts. macOS makes RDMA devices for Thunderbolt 4 ports as well, and crashes when they are used:
// so the speed of the cable at both ends decides (docs/mlx-distributed.md).
import type { MachineFacts, RdmaDevice, ThunderboltPort } from '../../protocol/facts.ts';

/** What Thunderbolt 4 is trained to at most; Thunderbolt 5 has 80. */
const THUNDERBOLT_4_GBPS = 40;

export interface RdmaFinding {
  text: string;
  fix: string;
}

/** A node as the search for devices sees it. */
export interface RdmaNode {
  name: string;
  machine?: MachineFacts | undefined;
}

export interface JacclDevices {
  /** row: from a rank, column: to a rank; null to itself. undefined where a pair lacks something */
  devices: (string | null)[][] | undefined;
  /** one for each missing condition */
  findings: RdmaFinding[];
}

/** @param ranks in rank order, at least two */
export function jacclDevices(ranks: readonly RdmaNode[]): JacclDevices {
  const findings: RdmaFinding[] = ranks.flatMap((rank) => nodeFindings(rank));
  if (findings.length > 0 || ranks.length < 2) return { devices: undefined, findings };
  const devices: (string | null)[][] = ranks.map(() => ranks.map(() => null));
  for (const [i, a] of ranks.entries()) {
    for (const [j, b] of ranks.entries()) {
      if (j <= i) continue;
      const pair = pairDevices(a, b);
      if ('finding' in pair) findings.push(pair.finding);
      else {
        (devices[i] as (string | null)[])[j] = pair.from;
        (devices[j] as (string | null)[])[i] = pair.to;
      }
    }
  }
  return findings.length > 0 ? { devices: undefined, findings } : { devices, findings };
}

function nodeFindings({ name, machine }: RdmaNode): RdmaFinding[] {
  if (!machine)
    return [{ text: `${name} has not told what it is`, fix: 'Wait until its facts are gathered.' }];
  const states: Record<MachineFacts['rdma']['state'], RdmaFinding | undefined> = {
    enabled: undefined,
    unavailable: {
      text: `${name} has no RDMA over Thunderbolt`,
      fix: 'It takes macOS 26.2 or newer and a Mac with Thunderbolt 5.',
    },
    disabled: {
      text: `RDMA is switched off on ${name}`,
      fix: `On ${name}: start from Recovery (hold the power button), open Utilities → Terminal, type \`rdma_ctl enable\`, restart.`,
    },
    'enabled-no-device': {
      text: `RDMA is switched on at ${name}, but it has no device`,
      fix: `Restart ${name}; if nothing changes, it has no Thunderbolt 5 port.`,
    },
  };
  const finding = states[machine.rdma.state];
  return finding ? [finding] : [];
}

/** The cables from one Mac straight to another, as both name them. */
function cables(a: MachineFacts, b: MachineFacts): [ThunderboltPort, ThunderboltPort][] {
  return a.thunderboltPorts.flatMap((from) =>
    b.thunderboltPorts
      .filter(
        (to) =>
          from.peers.some(({ domainUuid, throughDock }) => domainUuid === to.domainUuid && !throughDock) ||
          to.peers.some(({ domainUuid, throughDock }) => domainUuid === from.domainUuid && !throughDock),
      )
      .map((to): [ThunderboltPort, ThunderboltPort] => [from, to]),
  );
}

/** The devices at both ends of the first cable that has all it takes; else what the last one lacks. */
function pairDevices(a: RdmaNode, b: RdmaNode): { from: string; to: string } | { finding: RdmaFinding } {
  let finding: RdmaFinding = {
    text: `no Thunderbolt cable leads from ${a.name} straight to ${b.name}`,
    fix: `RDMA needs a cable between every two Macs: connect ${a.name} and ${b.name} with a Thunderbolt 5 cable.`,
  };
  if (!a.machine || !b.machine) return { finding };
  for (const [from, to] of cables(a.machine, b.machine)) {
    const ends = [endOf(a.name, a.machine, from), endOf(b.name, b.machine, to)] as const;
    const lacking = ends.find((end) => typeof end !== 'string');
    if (lacking && typeof lacking !== 'string') finding = lacking;
    else return { from: ends[0] as string, to: ends[1] as string };
  }
  return { finding };
}

/** The RDMA device of a port, or what it lacks. */
function endOf(name: string, machine: MachineFacts, port: ThunderboltPort): string | RdmaFinding {
  const where = `${port.portName ?? 'a Thunderbolt port'} of ${name}`;
  if ((port.linkGbps ?? 0) <= THUNDERBOLT_4_GBPS)
    return {
      text: `${where} runs at ${port.linkGbps ?? 'an unknown number of'} Gb/s, which is not Thunderbolt 5`,
      fix: 'Use a Thunderbolt 5 cable between Thunderbolt 5 ports: RDMA over a slower one crashes macOS 26.',
    };
  const device = machine.rdma.devices.find(
    (candidate: RdmaDevice) => candidate.interface !== null && candidate.interface === port.interface,
  );
  if (!device)
    return {
      text: `${where} has no RDMA device`,
      fix: `Look at \`ibv_devices\` on ${name}; it names one for each interface, as rdma_en5.`,
    };
  if (device.portState !== 'active')
    return {
      text: `the RDMA device ${device.name} of ${name} is ${device.portState ?? 'in an unknown state'}, not active`,
      fix: `Look at the cable at ${where}, and at \`ibv_devinfo\` on both Macs.`,
    };
  const own = machine.interfaces.find((candidate) => candidate.name === port.interface);
  if (!device.hasIpv4Gid || !own?.addresses.some(({ family }) => family === 'IPv4'))
    return {
      text: `${device.name} of ${name} has no IPv4 address, without which RDMA does not connect`,
      fix: `On ${name}: give ${port.interface} an IPv4 address of its own (System Settings → Network → the port → TCP/IP), outside of the Thunderbolt Bridge.`,
    };
  return device.name;
}
