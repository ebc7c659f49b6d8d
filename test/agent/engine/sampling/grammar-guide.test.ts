// Answers that are held to a grammar, with the demo model's own vocabulary: the tokens that may come, and those drawn.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GrammarGuides } from '../../../../agent/engine/sampling/grammar-guide.ts';
import { loadTokenizer } from '../../../../controller/tokenizer.ts';
import { readVocabulary, tokenBytes } from '../../../../protocol/vocabulary.ts';
import { demoModelDir } from '../../../support/paths.ts';
import { referenceCases } from '../../../support/reference.ts';
import { GREEDY } from '../../../support/sampling.ts';
import { evenRanges, StageChain } from '../../../support/stages.ts';

const VOCABULARY = 1024;
const STOP = 1;
const guides = new GrammarGuides(demoModelDir, VOCABULARY);
const tokenizer = await loadTokenizer(demoModelDir);
const tag = (json_schema: object) =>
  JSON.stringify({ type: 'structural_tag', format: { type: 'json_schema', json_schema } });
const SCHEMA = {
  type: 'object',
  properties: { n: { type: 'integer' } },
  required: ['n'],
  additionalProperties: false,
};

function isSet(bits: Int32Array, id: number): boolean {
  return (((bits[id >> 5] ?? 0) >>> (id & 31)) & 1) === 1;
}

test('only what fits may come, and the end only where the answer is whole', async () => {
  using guide = await guides.open({ structuralTag: tag(SCHEMA) }, [STOP]);
  for (const id of tokenizer.encode('{"n": 42}')) {
    const allowed = await guide.allowed();
    assert.ok(allowed && isSet(allowed, id), tokenizer.decode([id]));
    assert.ok(!isSet(allowed, STOP));
    guide.note(id);
  }
  const end = await guide.allowed();
  assert.ok(end && isSet(end, STOP));
});

test('before the end of the reasoning everything may come', async () => {
  using guide = await guides.open({ structuralTag: tag(SCHEMA), after: '</think>' }, [STOP]);
  for (const id of tokenizer.encode('so I think {</think>')) {
    assert.equal(await guide.allowed(), undefined);
    guide.note(id);
  }
  const allowed = await guide.allowed();
  const [open, word] = [tokenizer.encode('{'), tokenizer.encode('so')].map(([id]) => id as number);
  assert.ok(allowed && isSet(allowed, open as number) && !isSet(allowed, word as number));
});

test('a grammar that cannot be compiled does no harm to the next one', async () => {
  await assert.rejects(guides.open({ structuralTag: tag({ type: 'objekt' }) }, [STOP]));
  using guide = await guides.open({ structuralTag: tag(SCHEMA) }, [STOP]);
  assert.ok(await guide.allowed());
});

test('the bytes of tokens, put together, are the text', async () => {
  const vocabulary = await readVocabulary(demoModelDir);
  for (const { text, greedy_ids } of referenceCases) {
    const bytes = Buffer.concat(greedy_ids.map((id) => tokenBytes(vocabulary, id)));
    assert.ok(bytes.toString().startsWith(text), text);
  }
});

test('a stage draws what the grammar allows; other rows of the step and bad grammars do not disturb it', async () => {
  const chain = await StageChain.load(evenRanges(12, 1));
  const prompt = referenceCases[0]?.prompt_ids ?? [];
  const expected = await chain.generate(prompt, { maxTokens: 12 });
  const sampling = { ...GREEDY, temperature: 0 };
  const open = (structuralTag: string | undefined) => {
    const { session, op } = chain.open({ maxTokens: 12, sampling });
    return { session, op: structuralTag === undefined ? op : { ...op, grammar: { structuralTag } } };
  };
  const [held, free, bad] = [open(tag(SCHEMA)), open(undefined), open(tag({ type: 'objekt' }))];
  const all = [held, free, bad] as {
    session: number;
    op: Parameters<typeof chain.forward>[2] extends (infer Op)[] | undefined ? Op : never;
  }[];
  const row = (session: number, position: number, count: number) => ({
    session,
    position,
    count,
    sample: true,
  });
  const rows = all.map(({ session }) => row(session, 0, prompt.length));
  const hidden = await chain.forward(
    rows,
    [...prompt, ...prompt, ...prompt],
    all.map(({ op }) => op),
  );
  let { sampled, faults } = await chain.last.sample(rows, hidden);
  assert.deepEqual(
    faults.map(({ session }) => session),
    [bad?.session],
  );
  assert.match(faults[0]?.message ?? '', /cannot be held to its format/);
  const texts = new Map<number, number[]>();
  for (let position = prompt.length; position < prompt.length + 12; position++) {
    for (const { session, token } of sampled) texts.set(session, [...(texts.get(session) ?? []), token]);
    const next = sampled.filter(({ finish }) => finish === null);
    if (next.length === 0) break;
    const nextRows = next.map(({ session }) => row(session, position, 1));
    const out = await chain.forward(
      nextRows,
      next.map(({ token }) => token),
    );
    ({ sampled, faults } = await chain.last.sample(nextRows, out));
    assert.deepEqual(faults, []);
  }
  assert.match(tokenizer.decode(texts.get(held?.session ?? 0) ?? []), /^\{"n": -?\d+/);
  assert.deepEqual(texts.get(free?.session ?? 0), expected);
});
