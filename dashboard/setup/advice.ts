// What the nodes together tell that no command on this Mac can mend: different versions of macOS, RDMA that is off, nodes
// with nothing but Wi-Fi, Macs that sleep. Pure; each with what to do, in words.
import type { NodeStatus } from '../../protocol/status.ts';
import { formatAge, printable } from '../format.ts';
import type { CabledNode } from './cabling/cables.ts';

export interface Advice {
  text: string;
  todo: readonly string[];
}

/** Apple's TN3205, and the same in the documentation of MLX: only in Recovery, on the Mac itself. */
const RDMA_STEPS = [
  'Shut it down, then hold the power button until "Loading startup options" appears.',
  'Choose Options, then Utilities → Terminal.',
  'Type: rdma_ctl enable',
  'Restart, and look: rdma_ctl status',
];

export function adviceOf(nodes: readonly NodeStatus[], cabled: readonly CabledNode[]): Advice[] {
  return [
    ...bridgedCables(nodes),
    ...differentSystems(nodes),
    ...rdmaOff(nodes, cabled),
    ...onlyWifi(nodes),
    ...sleepers(nodes),
  ];
}

function bridgedCables(nodes: readonly NodeStatus[]): Advice[] {
  const bridged = nodes.filter(({ facts }) => {
    const cables = facts?.thunderboltPorts.filter(({ peers }) => peers.length > 0) ?? [];
    const isOn = facts?.interfaces.some(
      ({ kind, active }) => kind === 'thunderbolt-bridge' && active === true,
    );
    return isOn === true && cables.length > 1;
  });
  if (bridged.length === 0) return [];
  const names = named(bridged.map(({ name }) => name));
  return [
    {
      text:
        `${names} ${bridged.length === 1 ? 'joins' : 'join'} several cables in a Thunderbolt Bridge: in a ring of such Macs ` +
        'packets can go round for ever, and RDMA needs an address on each port.',
      todo: ['On each of them: espalier setup system'],
    },
  ];
}

function differentSystems(nodes: readonly NodeStatus[]): Advice[] {
  const systems = new Map<string, string[]>();
  for (const { name, facts } of nodes) {
    if (facts?.os?.startsWith('macOS')) systems.set(facts.os, [...(systems.get(facts.os) ?? []), name]);
  }
  if (systems.size < 2) return [];
  const parts = [...systems].map(([os, names]) => `${printable(os)} on ${named(names)}`);
  return [
    {
      text: `The Macs run different systems: ${parts.join('; ')}. RDMA works only between the same, to the build.`,
      todo: ['On each: System Settings → General → Software Update, until all show the same version.'],
    },
  ];
}

function rdmaOff(nodes: readonly NodeStatus[], cabled: readonly CabledNode[]): Advice[] {
  const off = nodes.filter(
    ({ facts }, index) => facts?.rdma === 'disabled' && cabled[index]?.hasThunderbolt5 === true,
  );
  if (off.length === 0) return [];
  return [
    {
      text:
        `RDMA is off on ${named(off.map(({ name }) => name))}. It is for MLX Distributed only, where one answer gets ` +
        'faster with more Macs; nothing else needs it. It can be switched on only on the Mac itself:',
      todo: RDMA_STEPS,
    },
  ];
}

function onlyWifi(nodes: readonly NodeStatus[]): Advice[] {
  const wireless = nodes.filter(({ facts }) => {
    const active = facts?.interfaces.filter((each) => each.active === true) ?? [];
    const isWired = active.some(({ kind }) => /^(?:thunderbolt|thunderbolt-bridge|ethernet)$/.test(kind));
    return !isWired && active.some(({ kind }) => kind === 'wifi');
  });
  if (wireless.length === 0) return [];
  return [
    {
      text: `${named(wireless.map(({ name }) => name))} ${wireless.length === 1 ? 'has' : 'have'} nothing but Wi-Fi. Each token waits for it at each hop.`,
      todo: ['Join them with a Thunderbolt cable, or with Ethernet cables to one switch.'],
    },
  ];
}

function sleepers(nodes: readonly NodeStatus[]): Advice[] {
  const sleepy = nodes.filter(({ facts }) => (facts?.sleepMinutes ?? 0) > 0);
  if (sleepy.length === 0) return [];
  const parts = sleepy.map(
    ({ name, facts }) => `${printable(name)} (after ${formatAge((facts?.sleepMinutes ?? 0) * 60_000)})`,
  );
  return [
    {
      text: `Would fall asleep when idle: ${parts.join(', ')}.`,
      todo: ['On each of them: espalier setup system'],
    },
  ];
}

function named(names: readonly string[]): string {
  const shown = names.map(printable);
  return shown.length < 2 ? (shown[0] ?? '') : `${shown.slice(0, -1).join(', ')} and ${shown.at(-1)}`;
}
