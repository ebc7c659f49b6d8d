// Pure: how far a Mac is from RDMA over Thunderbolt, as a ladder: each rung with what was seen and what leads to the next.
// Whether a collective works over it, only the engine can say.
import type { Finding, Rung } from '../../protocol/doctor.ts';
import { finding } from '../../protocol/doctor-findings.ts';
import type { MachineFacts, ThunderboltPort } from '../../protocol/facts.ts';

/** Thunderbolt 5. On slower links macOS has the devices, too, and what uses them crashes. */
const RDMA_GBPS = 80;
/** The first macOS with it. */
const FIRST_SYSTEM = [26, 2] as const;

interface Look {
  state: boolean | null;
  seen: string;
  remedy: string;
}

/** All rungs, from the bottom; above the first that is missing all are unknown. Empty where there is no Thunderbolt. */
export function rdmaLadder(machine: MachineFacts): Rung[] {
  if (machine.thunderboltPorts.length === 0) return [];
  let isOpen = true;
  return looks(machine).map(({ id, look }): Rung => {
    if (!isOpen) return { id, state: 'unknown', seen: 'a rung below is missing', remedy: null };
    const { state, seen, remedy } = look;
    isOpen = state !== false;
    return {
      id,
      state: state === null ? 'unknown' : state ? 'yes' : 'no',
      seen,
      remedy: state === true ? null : remedy,
    };
  });
}

/** The first missing rung of a Mac whose hardware could do it. */
export function rdmaFindings(node: string, ladder: readonly Rung[]): Finding[] {
  if (ladder[0]?.state !== 'yes') return [];
  const missing = ladder.find(({ state }) => state === 'no');
  if (!missing) return [];
  return [
    finding('rdma-not-ready', { node, seen: missing.seen, remedy: missing.remedy ?? 'Nothing to do.' }),
  ];
}

function looks(machine: MachineFacts): { id: Rung['id']; look: Look }[] {
  const { thunderboltPorts: ports, rdma } = machine;
  const best = Math.max(0, ...ports.map(({ linkGbps, maxGbps }) => Math.max(linkGbps ?? 0, maxGbps ?? 0)));
  const fast = ports.filter(
    ({ linkGbps, peers }) =>
      (linkGbps ?? 0) >= RDMA_GBPS && peers.some(({ throughDock }) => throughDock === null),
  );
  const slow = ports.find(({ peers, linkGbps }) => peers.length > 0 && linkGbps !== null);
  const device = (port: ThunderboltPort) => rdma.devices.find((one) => one.interface === port.interface);
  const states = fast.map((port) => device(port)?.portState ?? null);
  const gids = fast.map((port) => device(port)?.hasIpv4Gid ?? false);
  const offers = fast.flatMap(({ peers }) => peers.map(({ offersRdma }) => offersRdma));
  const names = fast.map(({ interface: name, portName }) => name ?? portName ?? 'a port').join(', ');
  return [
    {
      id: 'hardware',
      look: {
        state: best === 0 ? null : best >= RDMA_GBPS,
        seen:
          best === 0 ? 'no port tells its speed' : `the ports do up to ${best} Gb/s; RDMA takes ${RDMA_GBPS}`,
        remedy: 'RDMA takes a Mac with Thunderbolt 5. Sockets over the same cables work on all.',
      },
    },
    {
      id: 'system',
      look: {
        state: isNewEnough(machine.os.version),
        seen: `macOS ${machine.os.version ?? 'of an unknown version'}; RDMA came with ${FIRST_SYSTEM.join('.')}`,
        remedy: `Update to macOS ${FIRST_SYSTEM.join('.')} or later, the same on all Macs.`,
      },
    },
    {
      id: 'enabled',
      look: {
        state: rdma.state !== 'unavailable' && rdma.state !== 'disabled',
        seen:
          rdma.state === 'unavailable'
            ? 'there is no rdma_ctl, or it says nothing'
            : `rdma_ctl says ${rdma.state === 'disabled' ? 'disabled' : 'enabled'}`,
        remedy:
          'Only at the Mac itself: hold its power button until Options appear → Utilities → Terminal → `rdma_ctl enable`, then restart.',
      },
    },
    {
      id: 'device',
      look: {
        state: rdma.devices.length > 0,
        seen:
          rdma.devices.length > 0
            ? rdma.devices.map(({ name }) => name).join(', ')
            : 'ibv_devices lists none',
        remedy: 'Restart the Mac once more after `rdma_ctl enable`.',
      },
    },
    {
      id: 'cable',
      look: {
        state: fast.length > 0,
        seen:
          fast.length > 0
            ? `${names}: ${RDMA_GBPS} Gb/s straight to a Mac`
            : slow
              ? `the cable at ${slow.portName ?? 'a port'} runs at ${slow.linkGbps} Gb/s${slow.peers[0]?.throughDock ? ', through a dock' : ''}`
              : 'no cable leads to another Mac',
        remedy: `Join the two Macs straight, by a cable that is marked for Thunderbolt 5 (${RDMA_GBPS} Gb/s), at most 1 m if it is passive; on a Mac Studio not in the port beside Ethernet.`,
      },
    },
    {
      id: 'peer',
      look: {
        state: offers.includes(true) ? true : offers.includes(false) ? false : null,
        seen: offers.includes(true)
          ? 'the Mac at the other end offers RDMA'
          : 'the Mac at the other end does not offer RDMA',
        remedy: 'Enable RDMA on that Mac, too: `espalier doctor` there says what is missing.',
      },
    },
    {
      id: 'active',
      look: {
        state: states.every((state) => state === null) ? null : states.includes('active'),
        seen: `the ports say ${states.map((state) => state ?? 'nothing').join(', ') || 'nothing'}`,
        remedy:
          'A port gets active when both Macs have RDMA enabled: look at the other end, then plug the cable in again.',
      },
    },
    {
      id: 'addressed',
      look: {
        state: gids.includes(true),
        seen: gids.includes(true) ? 'a port has an IPv4 GID' : 'no port has an IPv4 GID',
        remedy:
          'Take the port out of the Thunderbolt Bridge and give its service an IPv4 address of its own: RDMA needs it, sockets do not.',
      },
    },
  ];
}

function isNewEnough(version: string | null): boolean | null {
  const [, major, minor] = /^(\d+)(?:\.(\d+))?/.exec(version ?? '') ?? [];
  if (major === undefined) return null;
  const [wantedMajor, wantedMinor] = FIRST_SYSTEM;
  if (Number(major) !== wantedMajor) return Number(major) > wantedMajor;
  return Number(minor ?? 0) >= wantedMinor;
}
