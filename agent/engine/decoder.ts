// What every decoder-only architecture of the engine shares: embedding, a row of layers (norm, attention, norm,
// feed-forward), final norm and head, and that only attention looks at a step's rows. It knows no architecture.
import { isHeadTied } from '../../protocol/model-folder.ts';
import type { LayerRange } from '../../protocol/plan.ts';
import type { KvCache } from './kv-cache.ts';
import { Embedding, Linear } from './linear.ts';
import { mx, type Tensor } from './mlx.ts';
import { ParameterList, type ParameterSpec } from './parameters.ts';
import type { Rope, Rotation } from './rope.ts';
import type { Row, SessionSource, StageModel } from './step.ts';
import type { Weights } from './weights.ts';

/** The fields of an architecture's Args that this file needs, by their names in config.json. */
export interface DecoderArgs {
  vocab_size: number;
  hidden_size: number;
  num_hidden_layers: number;
  rms_norm_eps: number;
  tie_word_embeddings?: boolean | null | undefined;
}

/** What all layers share in one step. */
export interface StepContext {
  rows: readonly Row[];
  rotation: Rotation;
  /** per row: what is added to its scores, [count, position + count] of 0 and −∞; absent for single tokens */
  masks: readonly (Tensor | undefined)[];
}

export interface Attention {
  readonly cache: KvCache;
  /** @param x [tokens, hidden] @returns [tokens, hidden] */
  forward(x: Tensor, context: StepContext): Tensor;
}

export interface FeedForward {
  /** @param x [tokens, hidden] @returns [tokens, hidden] */
  forward(x: Tensor): Tensor;
}

/** The parts in which weights are loaded and freed: a stage that moves keeps those that its new range has, too. */
const EMBEDDING = 'embedding';
/** the same, held for the head as well */
const TIED_EMBEDDING = 'tied embedding';
const HEAD = 'head';
const layerPart = (layer: number) => `layer ${layer}`;

/** Whether a part of the weights is a layer. */
export function isLayer(part: string): boolean {
  return part.startsWith('layer ');
}

/**
 * The parameters of layers `range`, with the embedding on the first stage and norm and head on the last.
 * @param has whether the checkpoint holds a tensor
 * @param addLayer adds a layer's attention and feed-forward; its two norms are there already
 */
export function decoderParameters(
  args: DecoderArgs,
  range: LayerRange,
  has: (tensor: string) => boolean,
  addLayer: (list: ParameterList, prefix: string, layer: number) => void,
): ParameterSpec[] {
  const { hidden_size: hidden, vocab_size: vocabulary } = args;
  const list = new ParameterList();
  const isLast = range.end === args.num_hidden_layers;
  const isTied = isLast && isHeadTied(args, has);
  if (range.start === 0 || isTied) {
    list.begin(isTied ? TIED_EMBEDDING : EMBEDDING);
    list.linear('model.embed_tokens', [vocabulary, hidden]);
  }
  for (let layer = range.start; layer < range.end; layer++) {
    const prefix = `model.layers.${layer}`;
    list.begin(layerPart(layer));
    list.vector(`${prefix}.input_layernorm.weight`, [hidden]);
    list.vector(`${prefix}.post_attention_layernorm.weight`, [hidden]);
    addLayer(list, prefix, layer);
  }
  if (isLast) {
    list.begin(HEAD);
    list.vector('model.norm.weight', [hidden]);
    if (!isTied) list.linear('lm_head', [vocabulary, hidden]);
  }
  return list.specs;
}

/** One layer: x + attention(norm(x)), then that + feed-forward(norm(that)). */
export class DecoderLayer {
  readonly attention: Attention;
  readonly #feedForward: FeedForward;
  readonly #inputNorm: Tensor;
  readonly #postNorm: Tensor;
  readonly #eps: number;

  constructor(
    args: DecoderArgs,
    weights: Weights,
    prefix: string,
    parts: { attention: Attention; feedForward: FeedForward },
  ) {
    this.attention = parts.attention;
    this.#feedForward = parts.feedForward;
    this.#inputNorm = weights.vector(`${prefix}.input_layernorm.weight`);
    this.#postNorm = weights.vector(`${prefix}.post_attention_layernorm.weight`);
    this.#eps = args.rms_norm_eps;
  }

  /** @param hidden [tokens, hidden] @returns [tokens, hidden] */
  forward(hidden: Tensor, context: StepContext): Tensor {
    const attended = mx.add(
      hidden,
      this.attention.forward(mx.fast.rmsNorm(hidden, this.#inputNorm, this.#eps), context),
    );
    return mx.add(attended, this.#feedForward.forward(mx.fast.rmsNorm(attended, this.#postNorm, this.#eps)));
  }
}

/** The layers of one stage as the engine runs them. An architecture's Model makes its layers and extends this. */
export class Decoder implements StageModel {
  readonly #layers: readonly DecoderLayer[];
  readonly #rope: Rope;
  readonly #eps: number;
  readonly #embedding: Embedding | undefined;
  readonly #norm: Tensor | undefined;
  /** its own, or the embedding */
  readonly #head: Linear | Embedding | undefined;

  constructor(
    args: DecoderArgs,
    range: LayerRange,
    weights: Weights,
    rope: Rope,
    makeLayer: (prefix: string, layer: number) => DecoderLayer,
  ) {
    this.#rope = rope;
    this.#eps = args.rms_norm_eps;
    this.#layers = Array.from({ length: range.end - range.start }, (_, i) => {
      const layer = range.start + i;
      return weights.part(layerPart(layer), () => makeLayer(`model.layers.${layer}`, layer));
    });
    const isLast = range.end === args.num_hidden_layers;
    const isTied = isLast && !weights.has('lm_head.weight');
    if (range.start === 0 || isTied) {
      const embedding = weights.part(
        isTied ? TIED_EMBEDDING : EMBEDDING,
        () => new Embedding(weights, 'model.embed_tokens', isTied),
      );
      if (range.start === 0) this.#embedding = embedding;
      if (isTied) this.#head = embedding;
    }
    if (isLast) {
      const { norm, linear } = weights.part(HEAD, () => ({
        norm: weights.vector('model.norm.weight'),
        linear: isTied ? undefined : new Linear(weights, 'lm_head'),
      }));
      this.#norm = norm;
      this.#head ??= linear;
    }
  }

  get layerCount(): number {
    return this.#layers.length;
  }

  embed(ids: Tensor): Tensor {
    if (!this.#embedding) throw new Error('only the first stage holds the embedding');
    return this.#embedding.forward(ids);
  }

  prepare(rows: readonly Row[]): StepContext {
    const positions = rows.flatMap((row) => Array.from({ length: row.count }, (_, i) => row.position + i));
    return { rows, rotation: this.#rope.rotation(positions), masks: rows.map(causalMask) };
  }

  layer(index: number, hidden: Tensor, context: StepContext): Tensor {
    return this.#layer(index).forward(hidden, context);
  }

  head(hidden: Tensor): Tensor {
    if (!this.#norm || !this.#head) throw new Error('only the last stage holds the head');
    const normed = mx.fast.rmsNorm(hidden, this.#norm, this.#eps);
    return this.#head instanceof Linear ? this.#head.forward(normed) : this.#head.logits(normed);
  }

  drop(session: number): void {
    for (const { attention } of this.#layers) attention.cache.drop(session);
  }

  adopt(session: number, source: SessionSource): void {
    mx.eval(this.#layers.flatMap(({ attention }) => attention.cache.adopt(session, source)));
  }

  trim(session: number, length: number): void {
    mx.eval(this.#layers.flatMap(({ attention }) => attention.cache.trim(session, length)));
  }

  written(index: number, rows: readonly Row[]): Tensor[] {
    return this.#layer(index).attention.cache.written(rows);
  }

  get kvByteLength(): number {
    return this.#layers.reduce((sum, { attention }) => sum + attention.cache.byteLength, 0);
  }

  #layer(index: number): DecoderLayer {
    const layer = this.#layers[index];
    if (!layer) throw new RangeError(`this stage has ${this.#layers.length} layers, no layer ${index}`);
    return layer;
  }
}

/** A token sees itself and what was before it. */
function causalMask({ position, count }: Row): Tensor | undefined {
  if (count === 1) return undefined;
  const context = position + count;
  const query = mx.add(mx.arange(count, mx.int32).reshape(count, 1), position);
  const isSeen = mx.greaterEqual(query, mx.arange(context, mx.int32).reshape(1, context));
  return mx.where(isSeen, 0, Number.NEGATIVE_INFINITY);
}
