// Numbers, times and foreign text as people read them in one terminal cell. It knows no status and no screen.

/** What stands where nothing was measured yet. */
export const UNMEASURED = '–';

/** A rate or a time in a narrow cell: `8.1`, `42.6`, `317`, `12k`; `–` for null. */
export function formatNumber(value: number | null): string {
  if (value === null) return UNMEASURED;
  if (value < 99.95) return value.toFixed(1);
  if (value < 9_999.5) return value.toFixed(0);
  return `${(value / 1000).toFixed(0)}k`;
}

/** A measured time: `0.4 ms`, `320 ms`, `4.2 s`, `12 s`, `3 min`; `–` for null. */
export function formatDuration(ms: number | null): string {
  if (ms === null) return UNMEASURED;
  if (ms < 9.95) return `${ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${ms.toFixed(0)} ms`;
  return ms < 9_950 ? `${(ms / 1000).toFixed(1)} s` : formatAge(ms);
}

/** How long something has been so, in whole units that have passed: `0 s`, `12 s`, `3 min`, `5 h`, `2 d`. */
export function formatAge(ms: number): string {
  const seconds = Math.floor(Math.max(0, ms) / 1000);
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3_600)} h` : `${Math.floor(seconds / 86_400)} d`;
}

/** `62%`; `–` for null. */
export function formatShare(share: number | null): string {
  return share === null ? UNMEASURED : `${Math.round(share * 100)}%`;
}

/** A whole number, as `12,345` on every machine. */
export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** Memory in units of 1024, as Macs are sold: `4.5 MiB`, `512 GiB`; `–` for null. */
export function formatBytes(bytes: number | null): string {
  const { digits, prefix } = scaleBytes(bytes);
  if (digits === UNMEASURED) return UNMEASURED;
  return `${digits} ${prefix === '' ? 'B' : `${prefix}iB`}`;
}

/** The same for a narrow cell, as htop writes it: `4.5M`, `512G`; `–` for null. */
export function formatBytesShort(bytes: number | null): string {
  const { digits, prefix } = scaleBytes(bytes);
  if (digits === UNMEASURED) return UNMEASURED;
  return `${digits}${prefix === '' ? 'B' : prefix}`;
}

function scaleBytes(bytes: number | null): { digits: string; prefix: string } {
  if (bytes === null) return { digits: UNMEASURED, prefix: '' };
  const prefixes = ['', 'K', 'M', 'G', 'T'];
  let value = bytes;
  let step = 0;
  // the next unit begins at 1000, not at 1024, so that three digits are always enough
  while (value >= 999.5 && step < prefixes.length - 1) {
    value /= 1024;
    step += 1;
  }
  const digits = step === 0 || value >= 99.95 ? value.toFixed(0) : value.toFixed(1);
  return { digits, prefix: prefixes[step] ?? '' };
}

/** `14:03:27`, in the time zone of this machine. */
export function formatClock(at: number): string {
  const date = new Date(at);
  return [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((part) => String(part).padStart(2, '0'))
    .join(':');
}

/** `1 node`, `3 nodes`. */
export function formatPlural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

export { printable } from '../protocol/printable.ts';
