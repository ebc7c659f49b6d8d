// Grammars of what requests ask for, compiled with the demo model's vocabulary: what each lets through.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { answerGrammar, type GrammarWish } from '../../controller/answer-grammar.ts';
import { DEEPSEEK_FORM } from '../../controller/tools/deepseek-form.ts';
import { HERMES_FORM } from '../../controller/tools/hermes-form.ts';
import { LLAMA_FORM } from '../../controller/tools/llama-form.ts';
import { readVocabulary } from '../../protocol/vocabulary.ts';
import { GrammarCompiler } from '../../protocol/xgrammar.ts';
import { demoModelDir } from '../support/paths.ts';
import { demoTextModel } from './support.ts';

const model = await demoTextModel;
after(() => model.close());
const STOP = 1;
const compiler = await GrammarCompiler.of(await readVocabulary(demoModelDir), model.vocabSize, [STOP]);

const SCHEMA = {
  type: 'object',
  properties: { n: { type: 'integer' } },
  required: ['n'],
  additionalProperties: false,
};
const TOOLS = ['get', 'add'].map((name) => ({ name, parameters: SCHEMA }));
const NOTHING: GrammarWish = {
  ...{ format: undefined, toolChoice: 'auto', parallelCalls: true, tools: [], toolForm: undefined },
  reasoningEnd: undefined,
};

/** Whether an answer may be this text and nothing more. */
async function fits(wish: Partial<GrammarWish>, text: string): Promise<boolean> {
  const { structuralTag } = answerGrammar({ ...NOTHING, ...wish }) ?? {};
  assert.ok(structuralTag);
  await model.checkGrammar(structuralTag);
  using matcher = await compiler.matcher(structuralTag, [STOP]);
  for (const id of await model.encode(text)) if (!matcher.accept(id)) return false;
  return matcher.accept(STOP);
}

test('where nothing is asked for there is no grammar', () => {
  assert.equal(answerGrammar(NOTHING), undefined);
  assert.equal(answerGrammar({ ...NOTHING, tools: TOOLS, toolForm: HERMES_FORM }), undefined);
});

test('formats', async () => {
  const format = { kind: 'schema' as const, schema: SCHEMA };
  assert.equal(await fits({ format }, '{"n": 5}'), true);
  assert.equal(await fits({ format }, '{"n": "5"}'), false);
  assert.equal(await fits({ format: { kind: 'json' } }, '{"any": [1, null]}'), true);
  assert.equal(await fits({ format: { kind: 'json' } }, '[1]'), false);
  assert.equal(await fits({ format, reasoningEnd: '</think>' }, '\n\n{"n": 5}'), true);
});

for (const [name, toolForm] of Object.entries({ HERMES_FORM, DEEPSEEK_FORM, LLAMA_FORM })) {
  const call = (tool: string, given: string) => toolForm.frame(tool).begin + given + toolForm.frame(tool).end;
  const written = (...calls: string[]) =>
    toolForm.around.begin + calls.join(toolForm.around.separator) + toolForm.around.end;
  const both = written(call('get', '{"n": 1}'), call('add', '{"n": 2}'));

  test(`${name}: tools that must be called, one or several`, async () => {
    const wish = { tools: TOOLS, toolForm, toolChoice: 'required' as const };
    assert.equal(await fits(wish, both), true);
    assert.equal(await fits(wish, written(call('get', '{"n": "x"}'))), false);
    assert.equal(await fits(wish, 'hi'), false);
    assert.equal(await fits({ ...wish, parallelCalls: false }, both), false);
    const named = { ...wish, toolChoice: { name: 'add' } };
    assert.equal(await fits(named, written(call('add', '{"n": 2}'))), true);
    assert.equal(await fits(named, written(call('get', '{"n": 2}'))), false);
  });

  test(`${name}: a format leaves room for calls`, async () => {
    const wish = { tools: TOOLS, toolForm, format: { kind: 'schema' as const, schema: SCHEMA } };
    assert.equal(await fits(wish, '{"n": 5}'), true);
    assert.equal(await fits(wish, written(call('add', '{"n": 2}'))), true);
    assert.equal(await fits(wish, 'hi'), false);
  });
}

test('a schema that cannot be enforced is refused with the reason, and the next one is not', async () => {
  const refused = (schema: object, message: RegExp) => {
    const wish = {
      ...NOTHING,
      format: { kind: 'schema' as const, schema: schema as Record<string, unknown> },
    };
    const grammar = answerGrammar(wish);
    return assert.rejects(model.checkGrammar(grammar?.structuralTag ?? ''), {
      code: 'invalid_request',
      message,
    });
  };
  await refused({ type: 'objekt' }, /Unsupported type "objekt"/);
  await refused({ type: 'string', pattern: '((' }, /parenthesis/);
  await refused({ type: 'string', description: 'x'.repeat(70_000) }, /at most 65536/);
  assert.equal(await fits({ format: { kind: 'schema', schema: SCHEMA } }, '{"n": 5}'), true);
});
