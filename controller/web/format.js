// Numbers and times as the page shows them; pure. What was not measured is a dash.

export const UNMEASURED = '–';

/** @param {number | null | undefined} value */
export function number(value) {
  if (value === null || value === undefined) return UNMEASURED;
  return value < 99.95
    ? value.toFixed(1)
    : value < 9999.5
      ? value.toFixed(0)
      : `${(value / 1000).toFixed(0)}k`;
}

/** @param {number} value */
export function count(value) {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** A count in a narrow place: `768`, `655k`, `12M`. @param {number} value */
export function short(value) {
  if (value < 10_000) return count(value);
  return value < 9_999_500 ? `${Math.round(value / 1000)}k` : `${Math.round(value / 1e6)}M`;
}

/** @param {number | null | undefined} share */
export function percent(share) {
  return share === null || share === undefined ? UNMEASURED : `${Math.round(share * 100)}%`;
}

/** In units of 1024, as Macs are sold. @param {number | null | undefined} bytes */
export function memory(bytes) {
  if (bytes === null || bytes === undefined) return UNMEASURED;
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let step = 0;
  while (value >= 999.5 && step < units.length - 1) {
    value /= 1024;
    step += 1;
  }
  return `${step === 0 || value >= 99.95 ? value.toFixed(0) : value.toFixed(1)} ${units[step]}`;
}

/** @param {number | null | undefined} ms */
export function duration(ms) {
  if (ms === null || ms === undefined) return UNMEASURED;
  if (ms < 9.95) return `${ms.toFixed(1)} ms`;
  return ms < 999.5 ? `${ms.toFixed(0)} ms` : ms < 9950 ? `${(ms / 1000).toFixed(1)} s` : age(ms);
}

/** Whole units that have passed. @param {number} ms */
export function age(ms) {
  const seconds = Math.floor(Math.max(0, ms) / 1000);
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} d`;
}

/** @param {number} at milliseconds since 1970 */
export function clock(at) {
  return new Date(at).toTimeString().slice(0, 8);
}

/** Half-open, as people say it: the layers 0 to 4 are `0–3`. @param {{ start: number, end: number }} range */
export function layers({ start, end }) {
  return end - start === 1 ? `${start}` : `${start}–${end - 1}`;
}
