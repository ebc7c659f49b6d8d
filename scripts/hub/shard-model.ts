// Splits the weights of a model folder into shards with an index, as large models are stored, and pads them to a size: a
// model of any size for tests and benches, with the answers of the small one.
import { randomFillSync } from 'node:crypto';
import { copyFile, mkdir, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';

const LAYER = /^model\.layers\.(\d+)\./;
const INDEX = 'model.safetensors.index.json';

interface Tensor {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

export interface ShardOptions {
  /** a folder with one weights file */
  from: string;
  /** is made */
  to: string;
  shards: number;
  /** random bytes in each shard, in a tensor that nobody loads */
  paddingBytes?: number;
  /** the shard of a tensor, where not layer by layer */
  shardOf?: (tensor: string) => number;
}

/** Layers go to the shards in order; what is before them to the first, what is behind them to the last. */
export async function shardModel({
  from,
  to,
  shards,
  paddingBytes = 0,
  shardOf: wished,
}: ShardOptions): Promise<void> {
  await mkdir(to, { recursive: true });
  const names = (await readdir(from)).filter((name) => /\.(json|jinja)$/.test(name) && name !== INDEX);
  for (const name of names) await copyFile(join(from, name), join(to, name));
  const source = await open(join(from, 'model.safetensors'), 'r');
  try {
    const prefix = Buffer.alloc(8);
    await source.read(prefix, 0, 8, 0);
    const headerBytes = Number(prefix.readBigUInt64LE(0));
    const header = Buffer.alloc(headerBytes);
    await source.read(header, 0, headerBytes, 8);
    const { __metadata__, ...tensors } = JSON.parse(header.toString('utf8')) as Record<string, Tensor>;
    const layers = Math.max(...Object.keys(tensors).map((name) => Number(LAYER.exec(name)?.[1] ?? 0))) + 1;
    const byLayer = (name: string) => {
      const layer = LAYER.exec(name)?.[1];
      if (layer === undefined) return name.startsWith('model.embed_tokens') ? 0 : shards - 1;
      return Math.floor((Number(layer) * shards) / layers);
    };
    const shardOf = wished ?? byLayer;
    const weightMap: Record<string, string> = {};
    for (let shard = 0; shard < shards; shard += 1) {
      const file = `model-${digits(shard + 1)}-of-${digits(shards)}.safetensors`;
      const own = Object.entries(tensors).filter(([name]) => shardOf(name) === shard);
      for (const [name] of own) weightMap[name] = file;
      await writeShard(join(to, file), source, 8 + headerBytes, own, paddingBytes);
    }
    const index = await open(join(to, INDEX), 'w');
    await index.write(JSON.stringify({ metadata: {}, weight_map: weightMap }));
    await index.close();
  } finally {
    await source.close();
  }
}

async function writeShard(
  path: string,
  source: Awaited<ReturnType<typeof open>>,
  dataAt: number,
  own: readonly (readonly [string, Tensor])[],
  paddingBytes: number,
): Promise<void> {
  const header: Record<string, Tensor> = {};
  let at = 0;
  for (const [name, { dtype, shape, data_offsets }] of own) {
    const length = data_offsets[1] - data_offsets[0];
    header[name] = { dtype, shape, data_offsets: [at, at + length] };
    at += length;
  }
  if (paddingBytes > 0)
    header['model.layers.9999.padding'] = {
      dtype: 'U8',
      shape: [paddingBytes],
      data_offsets: [at, at + paddingBytes],
    };
  const text = Buffer.from(JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(text.length));
  const target = await open(path, 'w');
  try {
    await target.write(prefix);
    await target.write(text);
    for (const [, { data_offsets }] of own) {
      const bytes = Buffer.alloc(data_offsets[1] - data_offsets[0]);
      await source.read(bytes, 0, bytes.length, dataAt + data_offsets[0]);
      await target.write(bytes);
    }
    if (paddingBytes > 0) await target.write(randomFillSync(Buffer.alloc(paddingBytes)));
  } finally {
    await target.close();
  }
}

function digits(number: number): string {
  return String(number).padStart(5, '0');
}
