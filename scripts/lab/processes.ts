// What the processes of a cluster take from this machine: memory and descriptors, from /proc.
import { readdir, readFile } from 'node:fs/promises';

export interface Taken {
  residentBytes: number;
  descriptors: number;
}

/** undefined where the process is gone */
export async function taken(pid: number): Promise<Taken | undefined> {
  try {
    const [status, descriptors] = await Promise.all([
      readFile(`/proc/${pid}/status`, 'utf8'),
      readdir(`/proc/${pid}/fd`),
    ]);
    const kib = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0);
    return { residentBytes: kib * 1024, descriptors: descriptors.length };
  } catch {
    return undefined;
  }
}

/** Processes whose environment has a word, which those that an agent started inherit from it. */
export async function withEnvironment(word: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(
    pids.map(async (pid) => {
      const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
      return environment.includes(word) ? [pid] : [];
    }),
  );
  return found.flat();
}
