// `npm run soak -- [--minutes N] [--seed N]`: six Macs in a lab under load and random faults, and what became of it.
import { Command, InvalidArgumentError } from 'commander';
import { formatBytes } from '../../dashboard/format.ts';
import { noLab, noLoss } from './lab.ts';
import { referenceFile } from './load.ts';
import { Scene } from './scene.ts';
import { sixMacs } from './six-macs.ts';
import { soak } from './soak.ts';

const DEFAULT_MINUTES = 30;
const MAX_MINUTES = 10_000;

function parseCount(text: string): number {
  const count = Number(text);
  if (count > 0 && count <= MAX_MINUTES) return count;
  throw new InvalidArgumentError(`It takes a number from 1 to ${MAX_MINUTES}.`);
}

async function run({ minutes, seed }: { minutes: number; seed: number }): Promise<void> {
  const say = (line: string) => process.stderr.write(`soak: ${line}\n`);
  const reason = await noLab();
  if (reason) {
    say(reason);
    process.exitCode = 1;
    return;
  }
  const withoutLoss = await noLoss();
  if (withoutLoss) say(`without packet loss: ${withoutLoss}`);
  const scene = new Scene(await sixMacs());
  try {
    const options = { scene, durationMs: minutes * 60_000, seed, referenceFile: referenceFile(), say };
    const result = await soak({ ...options, withoutLoss: Boolean(withoutLoss) });
    const { faults, answers, wrong, longestPauseMs, grown, orphans } = result;
    console.log(`${faults.length} faults, ${answers} answers, ${wrong.length} of them wrong (seed ${seed})`);
    for (const answer of wrong.slice(0, 10)) console.log(`  stream ${answer.stream}: ${answer.wrong}`);
    console.log(`longest pause of a stream: ${(longestPauseMs / 1000).toFixed(1)} s`);
    for (const { who, before, after } of grown) {
      const memory = `${formatBytes(before.residentBytes)} → ${formatBytes(after.residentBytes)}`;
      console.log(`${who}: ${memory}, ${before.descriptors} → ${after.descriptors} descriptors`);
    }
    console.log(`${orphans} processes were left behind`);
    if (wrong.length > 0 || orphans > 0) process.exitCode = 1;
  } finally {
    await scene.macs.remove();
  }
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
if (process.connected) process.once('disconnect', () => process.exit(1));
process.channel?.unref();

await new Command('soak')
  .description('Runs six Macs in network namespaces under load and random faults, and checks every answer.')
  .option('--minutes <n>', 'for how long', parseCount, DEFAULT_MINUTES)
  .option('--seed <n>', 'the same seed gives the same faults', parseCount, 1)
  .action(run)
  .parseAsync();
