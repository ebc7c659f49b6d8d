// Bytes that each interface has sent: two looks at them tell which one really carried a burst. The kernel's word on Linux,
// netstat's on macOS.
import { readFile } from 'node:fs/promises';
import { platform } from 'node:os';
import { execa } from 'execa';
import { parseTraffic } from '../facts/mac/traffic.ts';

/** Sent bytes by the interface's name; empty where nobody tells. */
export type CounterReader = () => Promise<ReadonlyMap<string, number>>;

/** netstat takes 10 ms; on a machine that takes longer nothing can be said. */
const NETSTAT_TIMEOUT_MS = 500;
const MAX_NETSTAT_BYTES = 1_048_576;
/** A burst is on an interface when it sent at least so much of it; headers and other traffic only add. */
const CARRIED_SHARE = 0.5;

/** What this machine's interfaces have sent. Never throws. */
export async function readCounters(): Promise<ReadonlyMap<string, number>> {
  try {
    if (platform() !== 'darwin') return parseProcNetDev(await readFile('/proc/net/dev', 'utf8'));
    const { stdout } = await execa('netstat', ['-ib'], {
      timeout: NETSTAT_TIMEOUT_MS,
      maxBuffer: MAX_NETSTAT_BYTES,
      env: { LC_ALL: 'C' },
    });
    return new Map(parseTraffic(stdout).value.map((entry) => [entry.interface, entry.sentBytes]));
  } catch {
    return new Map();
  }
}

/** `  eth0: 1 2 3 …`: eight numbers of what was received, then those of what was sent, bytes first. */
export function parseProcNetDev(text: string): ReadonlyMap<string, number> {
  const sent = new Map<string, number>();
  for (const line of text.split('\n')) {
    const match = /^\s*([\w.@-]{1,32}):\s*((?:\d+\s+){8})(\d+)\b/.exec(line);
    if (match?.[1] && match[3]) sent.set(match[1], Number(match[3]));
  }
  return sent;
}

/**
 * The interface that carried a burst: the expected one when it sent enough, otherwise the one that sent most of it.
 * @param expected the one that has the address which was dialled from
 * @returns null when none sent enough to have carried it
 */
export function carrierOf(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
  burstBytes: number,
  expected: string | undefined,
): string | null {
  if (burstBytes === 0) return null;
  const grown = [...after].map(([name, bytes]) => ({ name, bytes: bytes - (before.get(name) ?? bytes) }));
  const enough = grown.filter(({ bytes }) => bytes >= burstBytes * CARRIED_SHARE);
  if (expected !== undefined && enough.some(({ name }) => name === expected)) return expected;
  return enough.sort((x, y) => y.bytes - x.bytes)[0]?.name ?? null;
}
