// Records the tour of the README: a real cluster of three, real questions, the real dashboard in tmux, its keys, and what
// it shows, as a moving SVG and as the text of one picture. `node dist/scripts/tour/main.js docs/tour.svg [docs/tour.txt]`
import { writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { bringUp } from '../bench/bench-cluster.ts';
import { demoModelDir } from '../cli/package-root.ts';
import { movingSvg, type Picture } from './svg.ts';
import { openTerminal, type Terminal } from './terminal.ts';

const CLI = fileURLToPath(new URL('../cli/main.js', import.meta.url));
const SIZE = { columns: 110, rows: 30 };
const QUESTIONS = ["How many r's are in strawberry?", 'What is 616 plus 72?', 'Is 9.11 or 9.9 larger?'];
/** Between two pictures of the recording, which run as fast as they were taken. */
const PICTURE_MS = 500;
const MAX_ANSWER_TOKENS = 400;

interface Scene {
  keys: string[];
  pictures: number;
}

const SCENES: readonly Scene[] = [
  { keys: [], pictures: 16 },
  { keys: ['Enter'], pictures: 5 },
  { keys: ['Escape', 't'], pictures: 1 },
  { keys: ['What is 77 plus 88?', 'Enter'], pictures: 14 },
  { keys: ['Escape'], pictures: 4 },
  { keys: ['j', 'd'], pictures: 4 },
  { keys: ['a'], pictures: 14 },
];

const [svgPath, textPath] = process.argv.slice(2);
if (svgPath === undefined)
  throw new Error('say where the recording goes: node dist/scripts/tour/main.js tour.svg');

await using cluster = await bringUp({ modelDir: demoModelDir(), stages: 3 });
const { controller, home } = cluster;
const over = new AbortController();
const asking = QUESTIONS.map((question) => keepAsking(controller.url, question, over.signal));
const command = `env LANG=C.UTF-8 TERM=xterm-256color ESPALIER_HOME='${home}' '${process.execPath}' '${CLI}' dashboard -c ${controller.url}`;
await using terminal = await openTerminal(command, SIZE);
await delay(8_000);
const pictures = await record(terminal, SCENES);
over.abort();
await Promise.all(asking);
writeFileSync(svgPath, movingSvg(pictures, SIZE.columns, SIZE.rows));
const last = pictures[(SCENES[0]?.pictures ?? 1) - 1];
if (textPath !== undefined && last)
  writeFileSync(
    textPath,
    last.lines
      .map(
        (line) =>
          `${stripVTControlCharacters(line)
            .replace(/\p{Cc}/gu, '')
            .trimEnd()}\n`,
      )
      .join(''),
  );

async function record(on: Terminal, scenes: readonly Scene[]): Promise<Picture[]> {
  const taken: Picture[] = [];
  for (const { keys, pictures: count } of scenes) {
    for (const key of keys) {
      await on.type(key);
      await delay(PICTURE_MS / 2);
    }
    for (let picture = 0; picture < count; picture++) {
      taken.push({ lines: await on.capture(), seconds: PICTURE_MS / 1_000 });
      await delay(PICTURE_MS);
    }
  }
  return taken;
}

/** One question after the other, as somebody would who has many. */
async function keepAsking(url: string, question: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      const response = await fetch(`${url}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'user-agent': 'curl' },
        body: JSON.stringify({
          messages: [{ role: 'user', content: question }],
          max_tokens: MAX_ANSWER_TOKENS,
        }),
        signal,
      });
      await response.text();
    } catch {
      // the recording is over, or the answer broke off while a stage moved
      await delay(PICTURE_MS);
    }
  }
}
