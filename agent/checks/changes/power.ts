// Changes of a Mac's power settings: that it does not sleep, wakes for the network, and starts by itself when power is back.
// Pure. Only what holds on AC power is touched: a node runs on AC power, and on its battery a laptop goes on as it was.
import type { Argv, SystemChange } from '../../../protocol/system-change.ts';

interface Wish {
  id: string;
  description: string;
  why: string;
  /** pmset's names and values */
  values: Readonly<Record<string, number>>;
}

const WISHES: readonly Wish[] = [
  {
    id: 'no-sleep',
    description: 'never sleep while on AC power, nor let the disk sleep',
    why: 'A Mac that falls asleep leaves the cluster in the middle of an answer.',
    values: { sleep: 0, disksleep: 0 },
  },
  {
    id: 'wake-and-restart',
    description: 'wake for network access, and start by itself after a power failure',
    why: 'Otherwise somebody must go and press its button.',
    values: { womp: 1, autorestart: 1 },
  },
];

/**
 * @param acPower what `pmset -g custom` tells of AC power: what it does not name, this Mac cannot do
 */
export function powerChanges(acPower: ReadonlyMap<string, number>): SystemChange[] {
  return WISHES.flatMap(({ values, ...about }) => {
    const wrong = Object.entries(values).filter(([key, value]) => {
      const now = acPower.get(key);
      return now !== undefined && now !== value;
    });
    if (wrong.length === 0) return [];
    const before = wrong.map(([key]) => [key, acPower.get(key) ?? 0] as const);
    return [{ ...about, needsRoot: true, files: [], apply: [pmset(wrong)], undo: [pmset(before)] }];
  });
}

/** -c: while on the charger, which desktops always are */
function pmset(values: readonly (readonly [key: string, value: number])[]): Argv {
  return ['/usr/bin/pmset', '-c', ...values.flatMap(([key, value]) => [key, String(value)])];
}
