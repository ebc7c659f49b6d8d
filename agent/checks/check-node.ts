// Checks this machine: asks what only the checks need, beside the facts, and has the findings told. It takes a few seconds.
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { NodeCheck } from '../../protocol/doctor.ts';
import type { MachineFacts } from '../../protocol/facts.ts';
import { ESPALIER_VERSION, PROTOCOL_VERSION } from '../../protocol/version.ts';
import { MAC_SEARCH_PATH } from '../facts/mac/commands.ts';
import { runCommand } from '../facts/run-command.ts';
import { nodeFindings } from './findings.ts';
import { type FirewallState, parseFirewallState, parseProgramBlocked, SOCKET_FILTER } from './firewall.ts';
import { parseArp, type ReachVerdict, tryReach, whomToTry } from './local-network.ts';
import { rdmaLadder } from './rdma-ladder.ts';

const TIMEOUT_MS = 5_000;

export interface CheckOptions {
  id: string;
  /** for people */
  name: string;
  /** ESPALIER_HOME */
  home: string;
  machine: MachineFacts;
  /** as process.platform */
  platform?: string;
  /** where macOS's commands are, as in PATH; its firewall's has a fixed place */
  searchPath?: string;
  firewallCommand?: string;
}

/** Never throws: what cannot be asked is not checked. */
export async function checkNode(options: CheckOptions): Promise<NodeCheck> {
  const { id, name, home, machine, platform = process.platform } = options;
  const isMac = platform === 'darwin';
  const [disk, firewall, isDiskEncrypted, localNetwork] = await Promise.all([
    diskOf(home),
    isMac ? firewallOf(options) : null,
    isMac ? encryptionOf(options) : null,
    isMac ? localNetworkOf(options) : NOT_MACOS,
  ]);
  const rdma = rdmaLadder(machine);
  const state = { name, machine, disk, firewall, isDiskEncrypted, localNetwork };
  const { os } = machine;
  const system = [os.name, os.version, os.build && `(${os.build})`].filter((part) => part).join(' ');
  return {
    id,
    name,
    at: Date.now(),
    espalierVersion: ESPALIER_VERSION,
    nodeVersion: process.versions.node,
    protocol: PROTOCOL_VERSION,
    os: system.slice(0, 200) || null,
    findings: nodeFindings(state, rdma),
    rdma,
  };
}

const NOT_MACOS: ReachVerdict = { state: 'allowed', seen: 'only macOS asks for a permission' };

async function diskOf(home: string): Promise<{ path: string; freeBytes: number; totalBytes: number } | null> {
  // a home that is not there yet lies on the disk of the folder that it will be made in
  for (let path = home; ; path = dirname(path)) {
    try {
      const { bavail, bsize, blocks } = await statfs(path);
      return { path, freeBytes: bavail * bsize, totalBytes: blocks * bsize };
    } catch {
      if (path === dirname(path)) return null;
    }
  }
}

async function ask(options: CheckOptions, file: string, ...args: string[]): Promise<string> {
  const { text } = await runCommand(
    { file, args, timeoutMs: TIMEOUT_MS },
    options.searchPath ?? MAC_SEARCH_PATH,
  );
  return text;
}

async function firewallOf(options: CheckOptions): Promise<FirewallState | null> {
  const command = options.firewallCommand ?? SOCKET_FILTER;
  const program = process.execPath;
  const state = parseFirewallState(await ask(options, command, '--getglobalstate'));
  if (state === null) return null;
  const isProgramBlocked =
    state === 'on' ? parseProgramBlocked(await ask(options, command, '--getappblocked', program)) : null;
  return { state, program, isProgramBlocked };
}

/** `FileVault is On.` */
async function encryptionOf(options: CheckOptions): Promise<boolean | null> {
  const word = /^FileVault is (On|Off)\./m.exec(await ask(options, 'fdesetup', 'status'))?.[1];
  return word === undefined ? null : word === 'On';
}

async function localNetworkOf(options: CheckOptions): Promise<ReachVerdict> {
  const { neighbours, gateway } = whomToTry(parseArp(await ask(options, 'arp', '-an')), options.machine);
  return tryReach(neighbours, gateway);
}
