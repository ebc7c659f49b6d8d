// Speeds that others have published, each with its source and what the cost model says of the same set-up. Where the two
// are known to differ, `fails` names the assumption that does not hold there.
import { builtinCard } from '../../../controller/models/builtin.ts';
import { kimiK2, kimiK2Thinking, qwen3Coder480b, qwen3Moe235b } from './other-models.ts';
import { decode, prefill, tensor } from './predicted.ts';

export interface Published {
  what: string;
  source: string;
  /** tokens a second, or a ratio of two of them */
  published: number;
  predict: () => number;
  /** the model's constants were chosen so that this figure comes out */
  isCalibration?: true;
  /** which assumption fails, where the prediction is known to be off */
  fails?: string;
}

const ONE = 'M3 Ultra 512GB';
const R1 = 'deepseek-r1-4bit';
const GEERLING = 'geerlingguy/beowulf-ai-cluster 17';
const CHART = "Geerling's chart in exo's docs/benchmarks";
const over = (count: number) => `${count}x M3 Ultra 512GB, thunderbolt ring`;
const QWEN = qwen3Moe235b(8);
const KIMI = kimiK2(4);
const THINKING = kimiK2Thinking();
const LLAMA_8B = 'deepseek-r1-distill-llama-8b-4bit';

/** Keys and values of all heads in place of their latents: (128 + 64 + 128) numbers for each of 128 heads. */
const WIDE_KV = { ...builtinCard(R1), id: 'r1-4bit-wide-kv', kvValuesPerTokenLayer: 128 * (192 + 128) };

const CHART_CONDITIONS =
  'the conditions of the chart: the same author measured 20.2 tok/s on one such Mac with llama.cpp, the chart has 14.8';
export const PUBLISHED: readonly Published[] = [
  {
    what: '1× M3 Ultra, R1 4-bit, decode',
    source: `${GEERLING}, llama.cpp tg128`,
    published: 20.21,
    predict: () => decode(ONE, R1, 128),
    isCalibration: true,
  },
  {
    what: '1× M3 Ultra, R1 4-bit, prefill of 512',
    source: `${GEERLING}, pp512`,
    published: 168.9,
    predict: () => prefill(ONE, R1, 512),
    isCalibration: true,
  },
  {
    what: '1× M3 Ultra, R1 4-bit, prefill of 4,096',
    source: `${GEERLING}, pp4096`,
    published: 159.6,
    predict: () => prefill(ONE, R1, 4_096),
    isCalibration: true,
  },
  {
    what: '1× M4 mini, Llama 8B 4-bit, decode',
    source: 'brand-o/normiebench 3',
    published: 20.87,
    predict: () => decode('M4 mini 16GB', LLAMA_8B, 128),
    isCalibration: true,
  },
  {
    what: '1× M4 mini, Llama 8B 4-bit, prefill of 512',
    source: 'brand-o/normiebench 3',
    published: 224.8,
    predict: () => prefill('M4 mini 16GB', LLAMA_8B, 512),
    isCalibration: true,
  },
  {
    what: '1× M3 Ultra, R1 4-bit, decode',
    source: 'Dave2D via wccftech: 17 to 18',
    published: 17.5,
    predict: () => decode(ONE, R1),
  },
  {
    what: '1× M3 Ultra, V3.1 4-bit, decode',
    source: `${CHART}, exo`,
    published: 21.1,
    predict: () => tensor(1, ONE, R1),
  },
  {
    what: '2× M3 Ultra, V3.1 4-bit, tensor over RDMA',
    source: CHART,
    published: 27.8,
    predict: () => tensor(2, ONE, R1),
  },
  {
    what: '4× M3 Ultra, V3.1 4-bit, tensor over RDMA',
    source: CHART,
    published: 32.5,
    predict: () => tensor(4, ONE, R1),
  },
  {
    what: '4× M3 Ultra, V3.1, exo',
    source: 'implicator.ai, Stabilise.io: 24 to 26',
    published: 25,
    predict: () => tensor(4, ONE, R1),
    fails: 'that it was 4-bit and short: neither is said, and the row above has 32.5 for the same four Macs',
  },
  {
    what: '1× M3 Ultra, V3.1, llama.cpp',
    source: CHART,
    published: 14.8,
    predict: () => decode(ONE, R1),
    fails: CHART_CONDITIONS,
  },
  {
    what: '2× M3 Ultra, V3.1, llama.cpp RPC',
    source: CHART,
    published: 16,
    predict: () => decode(over(2), R1),
  },
  {
    what: '4× M3 Ultra, V3.1, llama.cpp RPC',
    source: CHART,
    published: 14.6,
    predict: () => decode(over(4), R1),
    fails: CHART_CONDITIONS,
  },
  {
    what: 'the same, 2 nodes against 1',
    source: CHART,
    published: 16 / 14.8,
    predict: () => decode(over(2), R1) / decode(ONE, R1),
  },
  {
    what: 'the same, 4 nodes against 1',
    source: CHART,
    published: 14.6 / 14.8,
    predict: () => decode(over(4), R1) / decode(ONE, R1),
  },
  {
    what: '1× M3 Ultra, Qwen3-235B 8-bit, exo',
    source: CHART,
    published: 19.5,
    predict: () => tensor(1, ONE, QWEN),
    isCalibration: true,
  },
  {
    what: '2× M3 Ultra, Qwen3-235B 8-bit, tensor over RDMA',
    source: CHART,
    published: 26.2,
    predict: () => tensor(2, ONE, QWEN),
  },
  {
    what: '4× M3 Ultra, Qwen3-235B 8-bit, tensor over RDMA',
    source: CHART,
    published: 31.9,
    predict: () => tensor(4, ONE, QWEN),
  },
  {
    what: '1× M3 Ultra, Qwen3-235B 8-bit, llama.cpp',
    source: CHART,
    published: 20.4,
    predict: () => decode(ONE, QWEN),
  },
  {
    what: '2× M3 Ultra, Qwen3-235B 8-bit, llama.cpp RPC',
    source: CHART,
    published: 17.2,
    predict: () => decode(over(2), QWEN),
  },
  {
    what: '4× M3 Ultra, Qwen3-235B 8-bit, llama.cpp RPC',
    source: CHART,
    published: 15.2,
    predict: () => decode(over(4), QWEN),
  },
  {
    what: '2× M3 Ultra, Kimi K2 Thinking, tensor over RDMA',
    source: CHART,
    published: 21.6,
    predict: () => tensor(2, ONE, THINKING),
  },
  {
    what: '4× M3 Ultra, Kimi K2 Thinking, tensor over RDMA',
    source: CHART,
    published: 28.3,
    predict: () => tensor(4, ONE, THINKING),
  },
  {
    what: '2× M3 Ultra, Kimi K2 Thinking, llama.cpp RPC (4-bit throughout)',
    source: CHART,
    published: 18.5,
    predict: () => decode(over(2), KIMI),
  },
  {
    what: '4× M3 Ultra, Kimi K2 Thinking, llama.cpp RPC (4-bit throughout)',
    source: CHART,
    published: 16.4,
    predict: () => decode(over(4), KIMI),
    fails: "hops of 0.3 ms: llama.cpp's RPC waits for each, and loses with every node it gains",
  },
  {
    what: '2× M3 Ultra, Kimi-K2.7-Code, tensor by MLX',
    source: 'a Hugging Face discussion',
    published: 20.1,
    predict: () => tensor(2, ONE, THINKING),
  },
  {
    what: '1× M3 Ultra, R1 4-bit, 13,140 tokens before, decode',
    source: 'getop.com, MLX',
    published: 6.4,
    predict: () => decode(ONE, R1, 13_140),
    fails: 'KV as latents: MLX kept all heads then; the next row has that',
  },
  {
    what: 'the same with the KV of all heads',
    source: 'getop.com, MLX',
    published: 6.4,
    predict: () => decode(ONE, WIDE_KV, 13_140),
  },
  {
    what: '1× M3 Ultra, R1 4-bit, prefill of 13,140',
    source: 'getop.com, MLX',
    published: 59.6,
    predict: () => prefill(ONE, R1, 13_140),
    fails: "kernels: MLX's prefill of that time; llama.cpp has 159.6 for 4,096 tokens on the same Mac",
  },
  {
    what: '8× M4 Pro mini 64 GB, V3 4-bit',
    source: 'blog.exolabs.net, day 2',
    published: 5.37,
    predict: () => decode('8x M4 Pro mini 64GB limit 54GB, thunderbolt ring', R1),
    fails:
      'hops of 0.3 ms: exo sent them by gRPC between Python processes; about 9 ms a hop explain the figure',
  },
  {
    what: '2× M3 Ultra, Qwen3-Coder 480B 8-bit',
    source: 'gpustack 3446: 8, at times 0.3',
    published: 8,
    predict: () => decode(over(2), qwen3Coder480b(8)),
    fails: 'a healthy machine: the report is of an unstable one',
  },
  {
    what: 'M2 Ultra + M4 Max + 4× M4 Pro, R1 4-bit, exo',
    source: 'exo 641',
    published: 0.1,
    predict: () => decode('M2 Ultra 192GB + M4 Max 128GB + 4x M4 Pro mini 64GB, thunderbolt ring', R1),
    fails: 'weights that stay in memory: at a hundredth of any bandwidth they came from a disk',
  },
];

/** Published, but of a model whose shape, or a set-up whose conditions, are not known. */
export const NOT_PREDICTED: readonly string[] = [
  '2× M2 Ultra 192 GB by exo, 9 to 15 tok/s (exo 641): the model is not named',
  '4× M3 Ultra, GLM-5.3-Flash, 25.4 tok/s (exo 2295) and 2× M3 Ultra, GLM-5.1, 0.27 tok/s (mlx 3402): shapes not known here',
  '2× M3 Ultra, qwen3-vl, 18 and 32 tok/s (mlx-vlm 730): which size is not said',
];
