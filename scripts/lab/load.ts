// Load on a cluster in a lab: streams that never end, whose answers are compared with those of mlx-lm.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { packageFacts } from '../cli/package-root.ts';
import { ClientAnswer, type ClientTask } from './client-words.ts';
import type { Lab, Mac } from './lab.ts';

/** The answers of mlx-lm that the tests compare with too: a checkout has them, a published package does not. */
export function referenceFile(): string {
  return join(packageFacts().root, 'test', 'fixtures', 'demo-model', 'reference.json');
}

const CLIENT = fileURLToPath(new URL('./client-entry.js', import.meta.url));

/** Tokens of the answers that are asked for: long enough for a fault in the middle, short enough to ask often. */
const ANSWER_TOKENS = { least: 19, most: 31 };

const Reference = z.object({
  cases: z.array(
    z.object({
      messages: z.array(z.object({ role: z.string(), content: z.string() })),
      text: z.string(),
      greedy_ids: z.array(z.int()),
    }),
  ),
});

export interface Checked extends ClientAnswer {
  /** undefined where it is what mlx-lm answers, whole and once */
  wrong: string | undefined;
}

export class Load {
  readonly answers: Checked[] = [];
  readonly #child: ChildProcess;
  readonly #expected: readonly { text: string; reasoning: string }[];

  /**
   * @param referenceFile the reference answers of the model: greedy, as mlx-lm gives them
   * @param mac where the clients live
   */
  constructor(
    lab: Lab,
    mac: Mac,
    { url, streams, referenceFile }: { url: string; streams: number; referenceFile: string },
  ) {
    const reference = Reference.parse(JSON.parse(readFileSync(referenceFile, 'utf8')));
    const cases = reference.cases.filter(
      ({ greedy_ids: { length } }) => length >= ANSWER_TOKENS.least && length <= ANSWER_TOKENS.most,
    );
    this.#expected = cases.map(({ text }) => {
      const [reasoning = '', content] = text.split('</think>');
      return content === undefined
        ? { text: '', reasoning: reasoning.trim() }
        : { text: content.trim(), reasoning: reasoning.trim() };
    });
    const task: ClientTask = { url, streams, questions: cases.map(({ messages }) => messages) };
    const [file, ...args] = lab.on(mac, process.execPath, CLIENT, JSON.stringify(task));
    this.#child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    createInterface({ input: this.#child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      const answer = ClientAnswer.parse(JSON.parse(line));
      this.answers.push({ ...answer, wrong: this.#wrong(answer) });
    });
  }

  /** Those that were running at a moment, or began after it. @param at milliseconds since 1970 */
  since(at: number): Checked[] {
    return this.answers.filter(({ to }) => to >= at);
  }

  /** Whether each stream has ended an answer that was begun after a moment. */
  haveAllGoneOn(at: number, streams: number): boolean {
    const done = new Set(this.answers.filter(({ from }) => from >= at).map(({ stream }) => stream));
    return done.size === streams;
  }

  /** No more questions; resolves when those that run are answered. */
  async end(): Promise<void> {
    const ended = this.#child.exitCode === null ? once(this.#child, 'close') : undefined;
    this.#child.stdin?.end();
    await ended;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #wrong({ question, text, reasoning, finish, error }: ClientAnswer): string | undefined {
    if (error !== null) return `an error: ${error}`;
    if (finish !== 'stop') return `it ended with ${finish}`;
    const expected = this.#expected[question];
    if (text.trim() !== expected?.text) return `"${text}" instead of "${expected?.text}"`;
    return reasoning.trim() === expected.reasoning
      ? undefined
      : `the reasoning "${reasoning}" instead of "${expected.reasoning}"`;
  }
}
