// The header of a safetensors file, checked before MLX sees the file: MLX answers a truncated file with garbage and a
// damaged header with a crash. Format: 8 bytes of header length (little endian), a JSON header, then the tensors' bytes.
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { z } from 'zod';
import { EspalierError } from './errors.ts';

/** The format's own limit for a header. */
const MAX_HEADER_BYTES = 100_000_000;

const DTYPE_BYTES = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
};
export type DtypeName = keyof typeof DTYPE_BYTES;

const Dimension = z.int().min(0);
const HeaderEntry = z.object({
  dtype: z.enum(Object.keys(DTYPE_BYTES) as [DtypeName, ...DtypeName[]]),
  shape: z.array(Dimension).max(8),
  data_offsets: z.tuple([Dimension, Dimension]),
});
const Header = z.record(z.string(), z.unknown());

export interface TensorInfo {
  dtype: DtypeName;
  shape: number[];
  /** bytes in the file */
  byteLength: number;
}

/**
 * Reads and checks the header of a safetensors file: its length, its JSON, and that every tensor's bytes are as many
 * as its shape says and lie inside the file.
 * @param path the file; nothing but its header is read
 * @throws EspalierError model_file_missing, model_file_damaged
 */
export async function readSafetensorsHeader(path: string): Promise<Map<string, TensorInfo>> {
  const name = basename(path);
  const damaged = (what: string) =>
    new EspalierError('model_file_damaged', `${name} in ${path.slice(0, -name.length)}: ${what}`);
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    throw new EspalierError(
      'model_file_missing',
      `${path} cannot be opened (${error.code ?? error.message})`,
    );
  });
  try {
    const { size } = await file.stat();
    const prefix = Buffer.alloc(8);
    const { bytesRead } = await file.read(prefix, 0, 8, 0);
    if (bytesRead < 8) throw damaged(`it holds ${size} bytes, too few for a safetensors file`);
    const headerBytes = Number(prefix.readBigUInt64LE(0));
    if (headerBytes < 2 || headerBytes > MAX_HEADER_BYTES || 8 + headerBytes > size) {
      throw damaged(
        `it is cut off or no safetensors file (header of ${headerBytes} bytes in a file of ${size})`,
      );
    }
    const header = Buffer.alloc(headerBytes);
    await file.read(header, 0, headerBytes, 8);
    return parseHeader(header, size - 8 - headerBytes, damaged);
  } finally {
    await file.close();
  }
}

/**
 * The same of the file's first bytes alone.
 * @param head the length of the header, and the header
 * @param fileBytes of the whole file, wherever it is
 * @throws EspalierError model_file_damaged
 */
export function parseSafetensorsHead(name: string, head: Buffer, fileBytes: number): Map<string, TensorInfo> {
  const damaged = (what: string) => new EspalierError('model_file_damaged', `${name}: ${what}`);
  const headerBytes = head.length >= 8 ? Number(head.readBigUInt64LE(0)) : -1;
  if (head.length !== 8 + headerBytes) throw damaged('its header is not whole');
  return parseHeader(head.subarray(8), fileBytes - head.length, damaged);
}

function parseHeader(
  bytes: Buffer,
  dataBytes: number,
  damaged: (what: string) => EspalierError,
): Map<string, TensorInfo> {
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw damaged('its header is not JSON');
  }
  const header = Header.safeParse(json);
  if (!header.success) throw damaged('its header is not a JSON object');
  const tensors = new Map<string, TensorInfo>();
  for (const [tensor, value] of Object.entries(header.data)) {
    if (tensor === '__metadata__') continue;
    const entry = HeaderEntry.safeParse(value);
    if (!entry.success) throw damaged(`its header describes ${tensor} in a way that is not known`);
    const { dtype, shape, data_offsets } = entry.data;
    const [begin, end] = data_offsets;
    const byteLength = shape.reduce((product, n) => product * n, DTYPE_BYTES[dtype]);
    if (end - begin !== byteLength) {
      throw damaged(
        `${tensor} has ${end - begin} bytes where its shape [${shape}] of ${dtype} needs ${byteLength}`,
      );
    }
    if (end > dataBytes) {
      throw damaged(`it is cut off: ${tensor} ends ${end - dataBytes} bytes after the end of the file`);
    }
    tensors.set(tensor, { dtype, shape, byteLength });
  }
  return tensors;
}
