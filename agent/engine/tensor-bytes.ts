// Tensors to bytes and back. node-mlx has no door to a tensor's memory, but it reads and writes safetensors files; on
// a RAM disk that takes tens of microseconds (facts), a hundredth of going through JavaScript arrays.
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
    mx.saveSafetensors(this.#outPath, { h: tensor });
    const room = tensor.nbytes + HEADER_ROOM;
    if (this.#scratch.length < room) this.#scratch = Buffer.allocUnsafe(room);
    const length = readSync(this.#out, this.#scratch, 0, room, 0);
    const begin = 8 + Number(this.#scratch.readBigUInt64LE(0));
    if (length - begin !== tensor.nbytes) {
      throw new Error(
        `the scratch folder is full: ${length - begin} of ${tensor.nbytes} bytes of a tensor were written`,
      );
    }
    return this.#scratch.subarray(begin, length);
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
    const written = writevSync(this.#in, [header, bytes], 0);
    if (written !== header.length + bytes.length) throw new Error('the scratch folder is full');
    return mx.load(this.#inPath).h as Tensor;
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
