// The registry of every finding of `espalier doctor`: how bad it is and why it matters. docs/doctor.md lists the same; a test
// holds them together. It must not know when a finding holds.
import type { Finding, Severity } from './doctor.ts';

export const FINDINGS = {
  // power
  sleeps: { severity: 'warn', why: 'A Mac that falls asleep leaves the cluster in the middle of an answer.' },
  'no-wake': { severity: 'info', why: 'Once it sleeps, nobody can wake it over the network.' },
  'no-restart': {
    severity: 'info',
    why: 'After a power failure it stays off until somebody presses its button.',
  },
  'low-power': {
    severity: 'warn',
    why: 'Low power mode slows the GPU, and the slowest stage slows all others.',
  },
  'on-battery': {
    severity: 'warn',
    why: 'On a battery macOS slows the GPU, and the node goes when it is empty.',
  },
  hot: { severity: 'warn', why: 'A hot Mac slows down, and the slowest stage slows all others.' },
  'filevault-restart': {
    severity: 'info',
    why: 'After a restart its disk stays locked, and no agent runs, until somebody types a password there.',
  },
  // memory and disk
  'gpu-limit-low': {
    severity: 'info',
    why: 'Weights and KV fit only below this limit; the rest of the memory lies idle on a Mac that does nothing else.',
  },
  'gpu-limit-high': {
    severity: 'warn',
    why: 'With so little memory left, macOS swaps or ends programs as soon as the GPU takes what it may.',
  },
  'memory-pressure': {
    severity: 'warn',
    why: 'Under memory pressure macOS swaps, and every step waits for the disk.',
  },
  'disk-full': {
    severity: 'error',
    why: 'Espalier cannot keep its keys, its measurements or a model there.',
  },
  'disk-low': {
    severity: 'warn',
    why: 'A model does not fit, and macOS itself gets slow when its disk is nearly full.',
  },
  // the system
  'system-old': {
    severity: 'warn',
    why: 'MLX keeps the weights in memory only from macOS 15 on; before, they may be swapped out.',
  },
  'facts-incomplete': {
    severity: 'info',
    why: 'What could not be seen is not checked, and the planner guesses in its place.',
  },
  // who may reach whom
  'firewall-blocks-all': { severity: 'error', why: 'No other node and no controller reaches this one.' },
  'firewall-blocks-node': { severity: 'error', why: 'No other node and no controller reaches this one.' },
  'firewall-on': {
    severity: 'info',
    why: 'The firewall may drop what comes to a program that it does not know, without a word.',
  },
  'local-network-denied': {
    severity: 'error',
    why: 'macOS lets this program talk to no other machine of the home network, so no stage can reach the next one.',
  },
  'default-route-by-cable': {
    severity: 'warn',
    why: 'What is meant for the internet goes to the Mac at the other end of a Thunderbolt cable, and is lost there.',
  },
  'default-route-by-wifi': {
    severity: 'info',
    why: 'Other programs use Wi-Fi although there is a wire; Espalier measures, and takes the wire where it leads to the nodes.',
  },
  'bridge-joins-cables': {
    severity: 'warn',
    why: 'A bridge over several cables can carry packets round in a ring of Macs, and RDMA needs an address on each port.',
  },
  'port-without-address': {
    severity: 'warn',
    why: 'The cable carries nothing: the nodes use a slower way, or none.',
  },
  'port-without-ipv4': {
    severity: 'info',
    why: 'RDMA over this cable needs an IPv4 address at its port; sockets do not.',
  },
  'cable-through-dock': {
    severity: 'info',
    why: 'A dock shares its speed among all that is plugged into it, and RDMA does not pass it.',
  },
  'rdma-not-ready': {
    severity: 'info',
    why: 'RDMA takes microseconds where sockets over the same cable take hundreds: one answer gets faster with more Macs.',
  },
  // between nodes, from the controller
  'versions-differ': { severity: 'warn', why: 'Nodes of different versions may not understand one another.' },
  'node-versions-differ': {
    severity: 'info',
    why: 'One version everywhere leaves one thing less to wonder about.',
  },
  'macos-differs': {
    severity: 'warn',
    why: 'RDMA between two Macs works only with the same macOS on both, to the build.',
  },
  'clock-off': {
    severity: 'warn',
    why: 'Logs and incidents of different nodes do not line up, and join tokens expire early.',
  },
  'not-answering': { severity: 'warn', why: 'Nobody can say how this node is.' },
  'not-paired': { severity: 'info', why: 'It waits to be let in, and does nothing until then.' },
  // the links between nodes, as `espalier links` tells them
  'local-network': {
    severity: 'error',
    why: 'A node that may not talk to its neighbours cannot be a stage.',
  },
  'no-path': { severity: 'warn', why: 'The two cannot be neighbours in a plan.' },
  'one-way': { severity: 'warn', why: 'A hop goes one way, so only one order of the two is possible.' },
  'listens-on-one': { severity: 'info', why: 'The fastest link may be one that it does not listen on.' },
  'path-gone': { severity: 'warn', why: 'The hop takes a slower way, or the deployment had to end.' },
  wifi: {
    severity: 'warn',
    why: 'Wi-Fi has round trips of many milliseconds, and each token takes one at each hop.',
  },
  strayed: { severity: 'warn', why: 'The wire is there, and the packets go elsewhere.' },
  'wire-slow': { severity: 'warn', why: 'Prefill sends megabytes over each hop.' },
  'hop-slow': { severity: 'info', why: 'Another way is faster now.' },
  'cable-unused': { severity: 'warn', why: 'A cable that carries nothing is a fast link that is not used.' },
  'cable-slow': { severity: 'warn', why: 'The cable holds both ports back, and RDMA needs the full speed.' },
  'shared-link-local': { severity: 'warn', why: 'IPv4 reaches the neighbour behind one of the cables only.' },
} as const satisfies Record<string, { severity: Severity; why: string }>;

export type FindingId = keyof typeof FINDINGS;

export const FINDING_IDS = Object.keys(FINDINGS) as [FindingId, ...FindingId[]];

export function isFindingId(text: string): text is FindingId {
  return Object.hasOwn(FINDINGS, text);
}

/** What is particular about this one; everything else is the registry's. */
type Particulars = Pick<Finding, 'node' | 'seen' | 'remedy'> & Partial<Pick<Finding, 'severity' | 'fixes'>>;

export function finding(id: FindingId, { severity, fixes = [], ...rest }: Particulars): Finding {
  const known = FINDINGS[id];
  return { id, severity: severity ?? known.severity, why: known.why, fixes, ...rest };
}
