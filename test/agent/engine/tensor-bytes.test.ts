// Tensors to bytes and back, on a disk that works and on one that is full.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type Dtype, mx } from '../../../agent/engine/mlx.ts';
import { TensorBytes, type WireDtype } from '../../../agent/engine/tensor-bytes.ts';

/** Takes nothing: every write fails with ENOSPC. */
const FULL_DISK = '/dev/full';
const TYPES: [WireDtype, Dtype, bytes: number][] = [
  ['F32', mx.float32, 4],
  ['BF16', mx.bfloat16, 2],
  ['F16', mx.float16, 2],
];
const NUMBERS = [0, -1, 1.5, 0.0078125, -240, 65_280, 3.140625, -0.5];

/** Calls `use` with tensor bytes whose disk is as it should be, or full. */
function withBytes(isFull: boolean, use: (bytes: TensorBytes) => void): void {
  const dir = mkdtempSync(join(tmpdir(), 'espalier-test-'));
  try {
    if (isFull) for (const name of ['in', 'out']) symlinkSync(FULL_DISK, join(dir, `${name}.safetensors`));
    const bytes = new TensorBytes(dir);
    use(bytes);
    bytes.close();
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

for (const isFull of [false, true]) {
  describe(isFull ? 'on a full disk' : 'on a disk with space', {
    skip: isFull && !existsSync(FULL_DISK) && `there is no ${FULL_DISK} here`,
  }, () => {
    for (const [dtype, type, size] of TYPES) {
      test(`a ${dtype} tensor is the same after its way through bytes`, () => {
        withBytes(isFull, (bytes) => {
          for (const shape of [
            [1, 8],
            [4, 2],
          ]) {
            const tensor = mx
              .array(NUMBERS, mx.float32)
              .reshape(...shape)
              .astype(type);
            const read = Buffer.from(bytes.read(tensor));
            assert.equal(read.length, NUMBERS.length * size);
            const back = bytes.write(read, dtype, shape);
            assert.deepEqual([back.shape, back.dtype], [shape, type]);
            assert.deepEqual(back.astype(mx.float32).flatten().tolist(), NUMBERS);
          }
        });
      });
    }

    test('its bytes are those of the other way', () => {
      const other = new Map<string, string>();
      for (const full of isFull ? [false, true] : [false]) {
        withBytes(full, (bytes) => {
          for (const [dtype, type] of TYPES) {
            const hex = bytes.read(mx.array(NUMBERS, mx.float32).astype(type)).toString('hex');
            assert.equal(hex, other.get(dtype) ?? hex);
            other.set(dtype, hex);
          }
        });
      }
    });
  });
}
