// Pure: findings about power, sleep and heat, from a Mac's facts and settings.
import type { Finding } from '../../protocol/doctor.ts';
import { finding } from '../../protocol/doctor-findings.ts';
import type { MacSettings } from './changes/mac-settings.ts';
import { LOW_POWER_MODE } from './changes/power.ts';
import { fixesOf, type NodeState } from './node-state.ts';

export function powerFindings(state: NodeState): Finding[] {
  const { name: node, machine, settings } = state;
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
  if (power?.source === 'battery' || power?.source === 'ups') {
    found.push(
      finding('on-battery', {
        node,
        seen: `it runs from ${power.source === 'ups' ? 'a UPS' : 'its battery'}`,
        remedy: 'Plug it in.',
      }),
    );
  }
  return settings === null ? found : [...found, ...settingsFindings(state, settings)];
}

/** Of what holds on AC power, which a node should be on: what holds on the battery is a laptop's own business. */
function settingsFindings(state: NodeState, { acPower, isSleepDisabled }: MacSettings): Finding[] {
  const { name: node, isDiskEncrypted } = state;
  const found: Finding[] = [];
  const sleepMinutes = acPower.get('sleep') ?? 0;
  if (sleepMinutes > 0 && !isSleepDisabled) {
    found.push(
      finding('sleeps', {
        node,
        seen: `it sleeps after ${sleepMinutes} minutes of idleness, also on AC power`,
        remedy: 'Switch its sleep off while it is plugged in.',
        fixes: fixesOf(state, 'no-sleep'),
      }),
    );
  }
  if (acPower.get('womp') === 0) {
    found.push(
      finding('no-wake', {
        node,
        seen: 'it does not wake for network access (womp 0)',
        remedy: 'Switch it on.',
        fixes: fixesOf(state, 'wake-and-restart'),
      }),
    );
  }
  if (acPower.get('autorestart') === 0) {
    found.push(
      finding('no-restart', {
        node,
        seen: 'it stays off after a power failure (autorestart 0)',
        remedy: 'Have it start by itself.',
        fixes: fixesOf(state, 'wake-and-restart'),
      }),
    );
  }
  if (acPower.get('powermode') === LOW_POWER_MODE) {
    found.push(
      finding('low-power', {
        node,
        seen: 'it is in low power mode also on AC power (powermode 1)',
        remedy: 'Let macOS choose while it is plugged in.',
        fixes: fixesOf(state, 'no-low-power'),
      }),
    );
  }
  if (isDiskEncrypted && acPower.get('autorestart') === 1) {
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

function cpuShare(share: number | null): string {
  return share !== null && share < 1 ? `, and leaves ${Math.round(share * 100)}% of the CPU's speed` : '';
}
