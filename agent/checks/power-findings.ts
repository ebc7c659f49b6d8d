// Pure: findings about power, sleep and heat, from a Mac's facts.
import type { Finding, Fix } from '../../protocol/doctor.ts';
import { finding } from '../../protocol/doctor-findings.ts';
import type { NodeState } from './node-state.ts';

const LOW_POWER = 1;

export function powerFindings({ name: node, machine, isDiskEncrypted }: NodeState): Finding[] {
  const { power, thermal } = machine;
  const found: Finding[] = [];
  if (thermal?.level && thermal.level !== 'nominal' && thermal.level !== 'moderate') {
    found.push(
      finding('hot', {
        node,
        seen: `macOS tells a thermal pressure of "${thermal.level}"${cpuShare(thermal.cpuSpeedShare)}`,
        remedy: 'Give it air: space around it, no other machine below it, and no dust in its vents.',
      }),
    );
  }
  if (!power) return found;
  if (power.source === 'battery' || power.source === 'ups') {
    found.push(
      finding('on-battery', {
        node,
        seen: `it runs from ${power.source === 'ups' ? 'a UPS' : 'its battery'}`,
        remedy: 'Plug it in.',
      }),
    );
  }
  if (power.sleepMinutes !== null && power.sleepMinutes > 0) {
    found.push(
      finding('sleeps', {
        node,
        seen: `it sleeps after ${power.sleepMinutes} minutes of idleness`,
        remedy: 'Switch its sleep off while it is plugged in.',
        fix: pmset('Never sleeps while it is plugged in.', 'sleep', 0, power.sleepMinutes),
      }),
    );
  }
  if (power.wakeOnNetwork === false) {
    found.push(
      finding('no-wake', {
        node,
        seen: 'it does not wake for network access (womp 0)',
        remedy: 'Switch it on.',
        fix: pmset('Wakes for network access while it is plugged in.', 'womp', 1, 0),
      }),
    );
  }
  if (power.restartAfterPowerLoss === false) {
    found.push(
      finding('no-restart', {
        node,
        seen: 'it stays off after a power failure (autorestart 0)',
        remedy: 'Have it start by itself.',
        fix: pmset('Starts by itself after a power failure.', 'autorestart', 1, 0),
      }),
    );
  }
  if (power.powerMode === LOW_POWER) {
    found.push(
      finding('low-power', {
        node,
        seen: 'it is in low power mode (powermode 1)',
        remedy: 'Let macOS choose while it is plugged in.',
        fix: pmset('Leaves low power mode while it is plugged in.', 'powermode', 0, LOW_POWER),
      }),
    );
  }
  if (isDiskEncrypted && power.restartAfterPowerLoss) {
    found.push(
      finding('filevault-restart', {
        node,
        seen: 'FileVault is on, and it restarts after a power failure',
        remedy:
          'Nothing where somebody is at home to type the password; from macOS 26 on it can be unlocked by ssh, with the ' +
          'password. Or switch FileVault off in System Settings → Privacy & Security, if the disk may be read by who takes it.',
      }),
    );
  }
  return found;
}

/** `-c`: while it is plugged in, as a node should be; the battery's own settings stay. */
function pmset(description: string, key: string, value: number, before: number): Fix {
  return {
    description,
    apply: [['/usr/bin/pmset', '-c', key, String(value)]],
    undo: [['/usr/bin/pmset', '-c', key, String(before)]],
    needsRoot: true,
    safe: true,
  };
}

function cpuShare(share: number | null): string {
  return share !== null && share < 1 ? `, and leaves ${Math.round(share * 100)}% of the CPU's speed` : '';
}
