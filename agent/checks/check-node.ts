// Checks this machine: asks what only the checks need, beside the facts, and has the findings told. It takes a few seconds.
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { NodeCheck } from '../../protocol/doctor.ts';
import type { MachineFacts } from '../../protocol/facts.ts';
import { ESPALIER_VERSION, PROTOCOL_VERSION } from '../../protocol/version.ts';
import { proposedChanges } from './changes/proposals.ts';
import { type MacSources, readMac, SYSTEM } from './changes/read-mac.ts';
import { nodeFindings } from './findings.ts';
import { parseArp, type ReachVerdict, tryReach, whomToTry } from './local-network.ts';
import { rdmaLadder } from './rdma-ladder.ts';

export interface CheckOptions {
  id: string;
  /** for people */
  name: string;
  /** ESPALIER_HOME */
  home: string;
  machine: MachineFacts;
  /** as process.platform */
  platform?: string;
  /** who answers for this Mac: itself */
  mac?: MacSources;
}

/** Never throws: what cannot be asked is not checked. */
export async function checkNode(options: CheckOptions): Promise<NodeCheck> {
  const { id, name, home, machine, platform = process.platform, mac = SYSTEM } = options;
  const program = process.execPath;
  const isMac = platform === 'darwin';
  const [disk, now, isDiskEncrypted, localNetwork] = await Promise.all([
    diskOf(home),
    // where one of the daemons' files cannot be read, nobody could bring it back
    isMac ? readMac(mac).catch(() => null) : null,
    isMac ? encryptionOf(mac) : null,
    isMac ? localNetworkOf(mac, machine) : NOT_MACOS,
  ]);
  const rdma = rdmaLadder(machine);
  const settings = now?.settings ?? null;
  const changes = now ? proposedChanges({ facts: machine, ...now, home, nodePath: program }) : [];
  const state = { name, machine, disk, settings, changes, program, isDiskEncrypted, localNetwork };
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

/** `FileVault is On.` */
async function encryptionOf({ ask }: MacSources): Promise<boolean | null> {
  const word = /^FileVault is (On|Off)\./m.exec(await ask(['/usr/bin/fdesetup', 'status']))?.[1];
  return word === undefined ? null : word === 'On';
}

async function localNetworkOf({ ask }: MacSources, machine: MachineFacts): Promise<ReachVerdict> {
  const { neighbours, gateway } = whomToTry(parseArp(await ask(['/usr/sbin/arp', '-an'])), machine);
  return tryReach(neighbours, gateway);
}
