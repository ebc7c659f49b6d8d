// What the tests of the text side share: seeded chance, cuts of a text, the demo model's text side.
import { loadTextModel, type TextModel } from '../../controller/text-model.ts';
import { demoModelDir } from '../support/paths.ts';

export type Random = () => number;

/** Mulberry32: the same numbers from the same seed, from 0 to below 1. */
export function seeded(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function pick<T>(random: Random, list: readonly T[]): T {
  return list[Math.floor(random() * list.length)] as T;
}

/** A text in pieces, some of them empty. */
export function randomCut(random: Random, text: string): string[] {
  const pieces: string[] = [];
  for (let at = 0; at < text.length; ) {
    const length = Math.floor(random() * 4);
    pieces.push(text.slice(at, at + length));
    at += length;
  }
  return pieces;
}

/** All ways to cut a text in two or more pieces, and the whole: 2^(length - 1). */
export function* allCuts(text: string): Generator<string[]> {
  for (let mask = 0; mask < 2 ** (text.length - 1); mask++) {
    const pieces = [text.charAt(0)];
    for (let at = 1; at < text.length; at++) {
      if (mask & (1 << (at - 1))) pieces.push('');
      pieces[pieces.length - 1] += text.charAt(at);
    }
    yield pieces;
  }
}

export const demoTextModel: Promise<TextModel> = loadTextModel(demoModelDir, { id: 'demo-model' });

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
