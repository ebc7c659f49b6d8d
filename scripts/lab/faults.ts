// The faults that a cluster must survive, each as somebody would meet it: what is done to the Macs, and what undoes it.
// What the streams make of it, the witnesses say (witness.ts).
import { setTimeout as delay } from 'node:timers/promises';
import type { Plug } from './lab.ts';
import type { Scene } from './scene.ts';
import { BEFORE, gbpsOf } from './six-macs.ts';

export interface Fault {
  name: string;
  /** the Mac that it is done to where nobody says otherwise, from 1; never the one with the controller */
  victim: number;
  /** does it in the middle of streams; resolves when it is done */
  strike(scene: Scene, victim: number): Promise<void>;
  /** makes everything whole again, while nothing runs */
  mend?(scene: Scene, victim: number): Promise<void>;
  /** needs nft */
  isLoss?: boolean;
  /** the links only get worse: no stage is lost */
  isSlow?: boolean;
}

/** How long a node is frozen, or a link is slow. */
export interface FaultTimes {
  frozenMs: number;
  slowMs: number;
  /** between two losses of the same node */
  flapMs: number;
}

export function faults({ frozenMs, slowMs, flapMs }: FaultTimes): Fault[] {
  const startAgain: Fault['mend'] = async ({ macs }, victim) => macs.cluster.startAgent(victim - 1);
  return [
    {
      name: 'kill -9 of a worker',
      victim: 3,
      strike: async (scene, victim) => void process.kill(await scene.workerPid(victim), 'SIGKILL'),
    },
    {
      name: 'kill -9 of an agent',
      victim: 4,
      strike: async (scene, victim) => void process.kill(scene.agentPid(victim), 'SIGKILL'),
      mend: startAgain,
    },
    { name: 'kill -9 of all processes of a node', victim: 5, strike: killNode, mend: startAgain },
    {
      name: 'SIGSTOP of a worker',
      victim: 2,
      strike: async (scene, victim) => void process.kill(await scene.workerPid(victim), 'SIGSTOP'),
    },
    {
      name: `SIGSTOP of a whole node for ${frozenMs / 1000} s`,
      victim: 4,
      strike: async (scene, victim) => {
        const pids = [scene.agentPid(victim), await scene.workerPid(victim)];
        for (const pid of pids) process.kill(pid, 'SIGSTOP');
        await delay(frozenMs);
        for (const pid of pids) process.kill(pid, 'SIGCONT');
      },
    },
    cablePulled(),
    {
      name: 'the LAN pulled, with the hops alive',
      victim: 6,
      strike: ({ macs }, victim) => macs.lab.setCable(macs.plug(victim, 'en0'), false),
      mend: ({ macs }, victim) => macs.lab.setCable(macs.plug(victim, 'en0'), true),
    },
    ...[1, 5].map(
      (percent): Fault => ({
        name: `${percent} % packet loss on all links of a node for ${slowMs / 1000} s`,
        victim: 3,
        isLoss: true,
        isSlow: true,
        strike: async ({ macs }, victim) => {
          const ends = macs.plugsOf(victim);
          for (const end of ends) await macs.lab.setLoss(end, percent);
          await delay(slowMs);
          for (const end of ends) await macs.lab.setLoss(end, 0);
        },
      }),
    ),
    {
      name: `10 Mbit/s on all links of a node for ${slowMs / 1000} s`,
      victim: 3,
      isSlow: true,
      strike: async ({ macs }, victim) => {
        const ends = macs.plugsOf(victim);
        for (const end of ends) await macs.lab.setGbps(end, 0.01);
        await delay(slowMs);
        for (const end of ends) await macs.lab.setGbps(end, gbpsOf(end));
      },
    },
    {
      name: 'a node lost and back three times',
      victim: 5,
      strike: async (scene, victim) => {
        for (let round = 0; round < 3; round++) {
          if (round > 0) {
            scene.macs.cluster.startAgent(victim - 1);
            await delay(flapMs);
          }
          process.kill(scene.agentPid(victim), 'SIGKILL');
          await delay(flapMs);
        }
      },
      mend: startAgain,
    },
  ];
}

/** The agent first: it must not be able to tell. */
async function killNode(scene: Scene, number: number): Promise<void> {
  const worker = await scene.workerPid(number);
  process.kill(scene.agentPid(number), 'SIGKILL');
  try {
    process.kill(worker, 'SIGKILL');
  } catch {
    // it has seen its agent go
  }
}

/** A cable that a hop takes: of the victim where it has one, of somebody's otherwise. */
function cablePulled(): Fault {
  let pulled: Plug | undefined;
  return {
    name: 'a hop cable pulled, with the LAN alive',
    victim: 2,
    strike: async ({ macs }, victim) => {
      const { stages } = await macs.cluster.status();
      const ends = stages.flatMap(({ node, hop }, index) => {
        const from = stages.at(index - 1)?.node ?? '';
        if (!hop?.fromInterface.startsWith('thunderbolt')) return [];
        return [
          { number: Number(from.at(-1)), name: hop.fromInterface },
          { number: Number(node.at(-1)), name: hop.toInterface },
        ];
      });
      const { number, name } = ends.find((end) => end.number === victim) ??
        ends[0] ?? { number: victim, name: BEFORE };
      pulled = macs.plug(number, name);
      await macs.lab.setCable(pulled, false);
    },
    mend: async ({ macs }) => {
      if (!pulled) return;
      await macs.lab.setCable(pulled, true);
      // the kernel forgets it with the link
      await macs.lab.addAddress(pulled, macs.linkLocal6(pulled));
    },
  };
}
