// Tensors to bytes and back. node-mlx has no door to a tensor's memory, but it reads and writes safetensors files; on
// a RAM disk that takes tens of microseconds (facts), a hundredth of going through JavaScript arrays, which is what is left
// while that disk is full.
import { closeSync, openSync, readSync, rmSync, writevSync } from 'node:fs';
import { join } from 'node:path';
import { type Dtype, mx, type Tensor } from './mlx.ts';

export type WireDtype = 'F32' | 'BF16' | 'F16';

const WIRE: [Dtype, WireDtype][] = [
  [mx.float32, 'F32'],
  [mx.bfloat16, 'BF16'],
  [mx.float16, 'F16'],
];
const BYTES: Record<WireDtype, number> = { F32: 4, BF16: 2, F16: 2 };

/** Room for the small safetensors header in front of the bytes. */
const HEADER_ROOM = 512;

/** The wire name of a tensor's type. Hidden states are always one of the three. */
export function wireDtype(tensor: Tensor): WireDtype {
  const found = WIRE.find(([dtype]) => dtype === tensor.dtype);
  if (!found) throw new Error('only float32, bfloat16 and float16 tensors travel between stages');
  return found[1];
}

export function byteLengthOf(dtype: WireDtype, shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, BYTES[dtype]);
}

/** A disk without space, a quota that is used up, and a disk that fails. */
const FULL = new Set(['ENOSPC', 'EDQUOT', 'EIO']);

export class TensorBytes {
  readonly #outPath: string;
  readonly #inPath: string;
  readonly #out: number;
  readonly #in: number;
  #scratch = Buffer.allocUnsafe(1 << 16);
  readonly #headers = new Map<string, Buffer>();

  /** @param dir a folder of this process alone, best on a RAM disk */
  constructor(dir: string) {
    this.#outPath = join(dir, 'out.safetensors');
    this.#inPath = join(dir, 'in.safetensors');
    this.#out = openSync(this.#outPath, 'w+');
    this.#in = openSync(this.#inPath, 'w+');
  }

  /** The bytes of a tensor, little endian, row by row; valid until the next call. Evaluates it. */
  read(tensor: Tensor): Buffer {
    return this.#readFile(tensor) ?? toBytes(tensor);
  }

  /** @returns undefined where the scratch folder is full */
  #readFile(tensor: Tensor): Buffer | undefined {
    mx.saveSafetensors(this.#outPath, { h: tensor });
    const room = tensor.nbytes + HEADER_ROOM;
    if (this.#scratch.length < room) this.#scratch = Buffer.allocUnsafe(room);
    const length = readSync(this.#out, this.#scratch, 0, room, 0);
    const begin = 8 + Number(this.#scratch.readBigUInt64LE(0));
    return length - begin === tensor.nbytes ? this.#scratch.subarray(begin, length) : undefined;
  }

  /**
   * A tensor of these bytes. It is read when it is first evaluated, which must be before the next call.
   * @throws RangeError when they are not as many as dtype and shape say
   */
  write(bytes: Buffer, dtype: WireDtype, shape: readonly number[]): Tensor {
    if (bytes.length !== byteLengthOf(dtype, shape)) {
      throw new RangeError(`${bytes.length} bytes are no ${dtype} tensor of [${shape.join(', ')}]`);
    }
    const header = this.#header(dtype, shape, bytes.length);
    const isWritten = this.#writeFile(header, bytes);
    return isWritten ? (mx.load(this.#inPath).h as Tensor) : toTensor(bytes, dtype, shape);
  }

  /** @returns false where the scratch folder is full */
  #writeFile(header: Buffer, bytes: Buffer): boolean {
    try {
      return writevSync(this.#in, [header, bytes], 0) === header.length + bytes.length;
    } catch (error) {
      if (FULL.has((error as NodeJS.ErrnoException).code ?? '')) return false;
      throw error;
    }
  }

  close(): void {
    closeSync(this.#out);
    closeSync(this.#in);
    rmSync(this.#outPath, { force: true });
    rmSync(this.#inPath, { force: true });
  }

  #header(dtype: WireDtype, shape: readonly number[], length: number): Buffer {
    const key = `${dtype} ${shape.join()}`;
    const known = this.#headers.get(key);
    if (known) return known;
    const json = Buffer.from(JSON.stringify({ h: { dtype, shape, data_offsets: [0, length] } }));
    const header = Buffer.alloc(8 + json.length);
    header.writeBigUInt64LE(BigInt(json.length));
    json.copy(header, 8);
    if (this.#headers.size > 4096) this.#headers.clear(); // one per chunk length: bounded
    this.#headers.set(key, header);
    return header;
  }
}

function toBytes(tensor: Tensor): Buffer {
  const numbers = tensor.astype(mx.float32).flatten().tolist() as number[];
  const dtype = wireDtype(tensor);
  if (dtype === 'F32') return bufferOf(Float32Array.from(numbers));
  if (dtype === 'F16') return bufferOf(Float16Array.from(numbers));
  // bfloat16 is the upper half of float32
  const halves = new Uint16Array(Float32Array.from(numbers).buffer);
  return bufferOf(Uint16Array.from(numbers, (_, i) => halves[2 * i + 1] as number));
}

function toTensor(bytes: Buffer, dtype: WireDtype, shape: readonly number[]): Tensor {
  const { buffer } = Uint8Array.from(bytes); // aligned
  const [type] = WIRE.find(([, name]) => name === dtype) as [Dtype, WireDtype];
  return mx
    .array([...numbersOf(buffer, dtype)], mx.float32)
    .reshape(...shape)
    .astype(type);
}

function numbersOf(buffer: ArrayBuffer, dtype: WireDtype): Iterable<number> {
  if (dtype === 'F32') return new Float32Array(buffer);
  if (dtype === 'F16') return new Float16Array(buffer);
  return new Float32Array(Uint32Array.from(new Uint16Array(buffer), (half) => half << 16).buffer);
}

function bufferOf(
  numbers: Float32Array<ArrayBuffer> | Float16Array<ArrayBuffer> | Uint16Array<ArrayBuffer>,
): Buffer {
  return Buffer.from(numbers.buffer);
}
