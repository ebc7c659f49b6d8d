// A copy of a model, by default the demo model, that a test may spoil.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { demoModelDir } from './paths.ts';

export class ModelCopy {
  readonly dir = mkdtempSync(join(tmpdir(), 'espalier-model-'));

  readonly #source: string;

  constructor(source = demoModelDir) {
    this.#source = source;
    cpSync(source, this.dir, { recursive: true });
  }

  path(file: string): string {
    return join(this.dir, file);
  }

  /** Changes config.json's fields. */
  configure(fields: Record<string, unknown>): void {
    const config = JSON.parse(readFileSync(this.path('config.json'), 'utf8')) as Record<string, unknown>;
    writeFileSync(this.path('config.json'), JSON.stringify({ ...config, ...fields }));
  }

  /** Changes the weights' header in place, keeping its length. */
  rewriteHeader(
    change: (header: Record<string, { dtype: string; shape: number[]; data_offsets: number[] }>) => void,
  ): void {
    const bytes = readFileSync(this.path('model.safetensors'));
    const length = Number(bytes.readBigUInt64LE(0));
    const header = JSON.parse(bytes.subarray(8, 8 + length).toString());
    change(header);
    const text = JSON.stringify(header);
    if (text.length > length) throw new Error('the new header is longer than the old one');
    bytes.write(text.padEnd(length), 8);
    writeFileSync(this.path('model.safetensors'), bytes);
  }

  /** Puts bytes into a tensor. @param at the place of the first one among the tensor's own */
  overwrite(tensor: string, at: number, bytes: Buffer): void {
    const file = readFileSync(this.path('model.safetensors'));
    const length = Number(file.readBigUInt64LE(0));
    const begin = JSON.parse(file.subarray(8, 8 + length).toString())[tensor].data_offsets[0] as number;
    bytes.copy(file, 8 + length + begin + at);
    writeFileSync(this.path('model.safetensors'), file);
  }

  restoreWeights(): void {
    cpSync(join(this.#source, 'model.safetensors'), this.path('model.safetensors'));
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}
