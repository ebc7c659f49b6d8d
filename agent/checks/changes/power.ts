// Changes of a Mac's power settings: that it does not sleep, wakes for the network, starts by itself when power is back, and
// is not slowed. Pure. Only what holds on AC power is looked at and touched: a node runs on AC power, and on its battery a
// laptop goes on as it was.
import type { Fix } from '../../../protocol/doctor.ts';
import type { Argv } from '../../../protocol/system-change.ts';
import type { MacSettings } from './mac-settings.ts';

interface Wish {
  id: string;
  description: string;
  why: string;
  /** pmset's name of each setting, the value that is wanted, and the values that stand in its way */
  settings: readonly { key: string; wanted: number; isWrong: (now: number) => boolean }[];
}

/** pmset's number */
export const LOW_POWER_MODE = 1;

const WISHES: readonly Wish[] = [
  {
    id: 'no-sleep',
    description: 'never sleep while on AC power',
    why: 'A Mac that falls asleep leaves the cluster in the middle of an answer.',
    settings: [{ key: 'sleep', wanted: 0, isWrong: (minutes) => minutes > 0 }],
  },
  {
    id: 'wake-and-restart',
    description: 'wake for network access, and start by itself after a power failure',
    why: 'Otherwise somebody must go and press its button.',
    settings: [
      { key: 'womp', wanted: 1, isWrong: (flag) => flag === 0 },
      { key: 'autorestart', wanted: 1, isWrong: (flag) => flag === 0 },
    ],
  },
  {
    id: 'no-low-power',
    description: 'leave low power mode while on AC power',
    why: 'It slows the GPU, and the slowest stage slows all others.',
    // high power, which is 2, is as good as macOS's own choice
    settings: [{ key: 'powermode', wanted: 0, isWrong: (mode) => mode === LOW_POWER_MODE }],
  },
];

/** What `pmset -g custom` does not name, this Mac cannot do. */
export function powerChanges({
  acPower,
  isSleepDisabled,
}: Pick<MacSettings, 'acPower' | 'isSleepDisabled'>): Fix[] {
  return WISHES.flatMap(({ settings, ...about }) => {
    if (about.id === 'no-sleep' && isSleepDisabled) return [];
    const wrong = settings.flatMap(({ key, wanted, isWrong }) => {
      const now = acPower.get(key);
      return now !== undefined && isWrong(now) ? [{ key, wanted, now }] : [];
    });
    if (wrong.length === 0) return [];
    const apply = [pmset(wrong.map(({ key, wanted }) => [key, wanted]))];
    const undo = [pmset(wrong.map(({ key, now }) => [key, now]))];
    return [{ ...about, needsRoot: true, safe: true, files: [], apply, undo }];
  });
}

/** -c: while on the charger, which desktops always are */
function pmset(values: readonly (readonly [key: string, value: number])[]): Argv {
  return ['/usr/bin/pmset', '-c', ...values.flatMap(([key, value]) => [key, String(value)])];
}
