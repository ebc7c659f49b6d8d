// What is checked before MLX sees a file: MLX itself would answer with garbage, or crash.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { rmSync, truncateSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { openStageModel } from '../../../agent/engine/models/registry.ts';
import { openModelFolder } from '../../../protocol/model-folder.ts';
import type { LayerRange } from '../../../protocol/plan.ts';
import { ModelCopy } from '../../support/model-copy.ts';
import { parityModels } from '../../support/parity.ts';
import { demoModelDir } from '../../support/paths.ts';
import { settle } from '../../support/stages.ts';

async function load(dir: string, range?: LayerRange) {
  const folder = await openModelFolder(dir);
  const whole = { start: 0, end: folder.config.num_hidden_layers };
  const { model, weights } = await openStageModel(folder, range ?? whole);
  await weights.load(settle);
  return { model, weightBytes: weights.byteLength };
}

const cases: [what: string, spoil: (copy: ModelCopy) => void, expected: { code: string; message: RegExp }][] =
  [
    [
      'weights that are missing',
      (copy) => rmSync(copy.path('model.safetensors')),
      { code: 'model_file_missing', message: /model\.safetensors cannot be opened/ },
    ],
    [
      'weights that are cut off',
      (copy) => truncateSync(copy.path('model.safetensors'), 4_000_000),
      { code: 'model_file_damaged', message: /cut off/ },
    ],
    [
      'weights that are empty',
      (copy) => truncateSync(copy.path('model.safetensors'), 0),
      { code: 'model_file_damaged', message: /0 bytes/ },
    ],
    [
      'weights that are something else',
      (copy) => writeFileSync(copy.path('model.safetensors'), randomBytes(10_000)),
      { code: 'model_file_damaged', message: /no safetensors file/ },
    ],
    [
      'a tensor of another shape',
      (copy) =>
        copy.rewriteHeader((header) => {
          const tensor = header['model.layers.3.self_attn.o_proj.weight'];
          if (tensor) tensor.shape.reverse();
        }),
      { code: 'model_mismatch', message: /layers\.3\.self_attn\.o_proj\.weight.*\[32, 256\].*\[256, 32\]/ },
    ],
    [
      'a tensor of another type',
      (copy) =>
        copy.rewriteHeader((header) => {
          const tensor = header['model.norm.weight'];
          if (tensor) tensor.dtype = 'I16';
        }),
      { code: 'model_mismatch', message: /model\.norm\.weight.*I16/ },
    ],
    [
      'a tensor whose bytes are not as many as its shape says',
      (copy) =>
        copy.rewriteHeader((header) => {
          const tensor = header['model.norm.weight'];
          if (tensor) tensor.shape = [9];
        }),
      { code: 'model_file_damaged', message: /model\.norm\.weight has 512 bytes/ },
    ],
    [
      'the weights of another model under the right name',
      (copy) =>
        copy.rewriteHeader((header) => {
          for (const name of Object.keys(header))
            if (name.startsWith('model.layers.11.')) delete header[name];
        }),
      { code: 'model_mismatch', message: /does not hold model\.layers\.11\..*wrong file/ },
    ],
    [
      'a config of a larger model',
      (copy) => copy.configure({ hidden_size: 512 }),
      { code: 'model_mismatch', message: /\[1024, 64\]/ },
    ],
    [
      'a config of more layers',
      (copy) => copy.configure({ num_hidden_layers: 61 }),
      { code: 'model_mismatch', message: /lack model\.layers\.12/ },
    ],
    [
      'a config with other quantization',
      (copy) => copy.configure({ quantization: { bits: 8, group_size: 64 } }),
      { code: 'model_mismatch', message: /weight.*U32/ },
    ],
    [
      'a quantization that MLX does not have',
      (copy) => copy.configure({ quantization: { bits: 5, group_size: 64 } }),
      { code: 'model_unsupported', message: /2, 3, 4, 6 or 8 bits/ },
    ],
    [
      'another quantization mode',
      (copy) => copy.configure({ quantization: { bits: 4, group_size: 32, mode: 'mxfp4' } }),
      { code: 'model_unsupported', message: /affine/ },
    ],
    [
      'an architecture that is not known',
      (copy) => copy.configure({ model_type: 'gpt_oss' }),
      { code: 'model_unsupported', message: /gpt_oss.*supported: deepseek_v3, llama, qwen2, qwen3$/ },
    ],
    [
      'a config without a field',
      (copy) => copy.configure({ kv_lora_rank: undefined }),
      { code: 'model_mismatch', message: /kv_lora_rank/ },
    ],
    [
      'a config that is no JSON',
      (copy) => writeFileSync(copy.path('config.json'), '{'),
      { code: 'model_file_damaged', message: /not JSON/ },
    ],
    [
      'a folder without a config',
      (copy) => rmSync(copy.path('config.json')),
      { code: 'model_file_missing', message: /config\.json/ },
    ],
    ['no folder', (copy) => copy.remove(), { code: 'model_folder_missing', message: /no model folder/ }],
  ];

for (const [what, spoil, expected] of cases) {
  test(`${what}: an error that names it`, async () => {
    const copy = new ModelCopy();
    try {
      spoil(copy);
      await assert.rejects(() => load(copy.dir), expected);
    } finally {
      copy.remove();
    }
  });
}

const parityCases: [
  what: string,
  model: string,
  spoil: (copy: ModelCopy) => void,
  expected: { code: string; message: RegExp },
][] = [
  [
    'experts stored one by one, of which one is missing',
    'deepseek_v3-plain-4bit',
    (copy) =>
      copy.rewriteHeader((header) => {
        delete header['model.layers.2.mlp.experts.5.up_proj.scales'];
      }),
    { code: 'model_mismatch', message: /lack model\.layers\.2\.mlp\.experts\.5\.up_proj\.scales/ },
  ],
  [
    'an expert of another shape',
    'deepseek_v3-plain-4bit',
    (copy) =>
      copy.rewriteHeader((header) => {
        header['model.layers.2.mlp.experts.5.up_proj.weight']?.shape.reverse();
      }),
    { code: 'model_mismatch', message: /experts\.5\.up_proj\.weight.*\[8, 32\].*\[32, 8\]/ },
  ],
  [
    'a router that is not known',
    'deepseek_v3-plain-4bit',
    (copy) => copy.configure({ scoring_func: 'softmax' }),
    { code: 'model_unsupported', message: /scoring_func.*sigmoid/ },
  ],
  [
    'more chosen experts than there are',
    'deepseek_v3-plain-4bit',
    (copy) => copy.configure({ num_experts_per_tok: 7 }),
    { code: 'model_mismatch', message: /num_experts_per_tok: 7 cannot be chosen of 6/ },
  ],
  [
    'a rotary scaling that is not known',
    'qwen2-4bit',
    (copy) => copy.configure({ rope_scaling: { type: 'dynamic', factor: 2 } }),
    { code: 'model_unsupported', message: /rope_scaling.*"default", "linear", "llama3" and "yarn"/ },
  ],
  [
    'heads that do not divide',
    'qwen2-4bit',
    (copy) => copy.configure({ num_key_value_heads: 3 }),
    { code: 'model_mismatch', message: /num_key_value_heads: 4 query heads cannot share 3/ },
  ],
  [
    'layers that see only a window',
    'llama-6bit',
    (copy) => copy.configure({ layer_types: ['full_attention', 'sliding_attention', 'full_attention'] }),
    { code: 'model_unsupported', message: /layer_types\.1.*full_attention/ },
  ],
  [
    'weights packed by another tool',
    'qwen2-4bit',
    (copy) => {
      copy.configure({ quantization: undefined, quantization_config: { quant_method: 'gptq' } });
      copy.rewriteHeader((header) => {
        const name = 'model.layers.0.mlp.up_proj';
        header[`${name}.qweight`] = header[`${name}.weight`] as (typeof header)[string];
        delete header[`${name}.weight`];
        delete header[`${name}.scales`]; // makes room for the longer name
      });
    },
    { code: 'model_unsupported', message: /gptq.*up_proj\.qweight.*2, 3, 4, 6 and 8 bits/ },
  ],
  [
    'a head that config.json asks for',
    'qwen2-tied-bfloat16',
    (copy) => copy.configure({ tie_word_embeddings: false }),
    { code: 'model_mismatch', message: /lack lm_head\.weight/ },
  ],
];

for (const [what, model, spoil, expected] of parityCases) {
  test(`${what}: an error that names it`, async () => {
    const copy = new ModelCopy(parityModels.find(({ name }) => name === model)?.dir);
    try {
      spoil(copy);
      await assert.rejects(() => load(copy.dir), expected);
    } finally {
      copy.remove();
    }
  });
}

test('without a word in config.json the checkpoint tells whether the head is the embedding', async () => {
  for (const model of ['qwen2-4bit', 'qwen2-tied-bfloat16']) {
    const copy = new ModelCopy(parityModels.find(({ name }) => name === model)?.dir);
    try {
      const { weightBytes } = await load(copy.dir);
      copy.configure({ tie_word_embeddings: undefined });
      assert.equal((await load(copy.dir)).weightBytes, weightBytes);
    } finally {
      copy.remove();
    }
  }
});

test('a stage needs only the tensors of its own layers', async () => {
  const copy = new ModelCopy();
  try {
    copy.rewriteHeader((header) => {
      for (const name of Object.keys(header))
        if (/^model\.layers\.([0-3]|1[01])\./.test(name)) delete header[name];
    });
    const { model, weightBytes } = await load(copy.dir, { start: 4, end: 8 });
    assert.equal(model.layerCount, 4);
    const whole = await load(demoModelDir);
    assert.ok(weightBytes < whole.weightBytes / 2, `${weightBytes} of ${whole.weightBytes}`);
  } finally {
    copy.remove();
  }
});

test('without an index the only weights file is taken', async () => {
  const copy = new ModelCopy();
  try {
    rmSync(copy.path('model.safetensors.index.json'));
    const { model } = await load(copy.dir);
    assert.equal(model.layerCount, 12);
  } finally {
    copy.remove();
  }
});
