// A service for the tests of its life: `node service.js MODE`, which writes what happens to standard output.
import { setTimeout as sleep } from 'node:timers/promises';
import { EspalierError } from '../../protocol/errors.ts';
import { runSupervised } from '../../scripts/supervised.ts';

const mode = process.argv[2];

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

process.exit(
  await runSupervised(async () => {
    if (mode === 'bad-option') throw new EspalierError('bad_option', '--port is 70000');
    if (mode === 'defect') throw new TypeError('undefined is not a function');
    if (mode === 'starts-slowly') {
      say('starting');
      await sleep(300);
    }
    const alive = setInterval(() => undefined, 1_000);
    say('up');
    return {
      port: 7118,
      stop: async () => {
        say('stopping');
        if (mode === 'stops-slowly') await sleep(1_000);
        if (mode === 'never-stops') await new Promise(() => undefined);
        if (mode === 'fails-to-stop') throw new Error('the stop failed');
        if (mode !== 'leaves-a-timer') clearInterval(alive);
        say('stopped');
      },
    };
  }),
);
