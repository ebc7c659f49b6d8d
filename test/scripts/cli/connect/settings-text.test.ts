import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setInYamlList, setTomlBlock } from '../../../../scripts/cli/connect/settings-text.ts';

test('YAML keeps its comments, and an entry of the same name is replaced', () => {
  const before = '# mine\nmodels:\n  # local\n  - name: other\n    model: x\n';
  const once = setInYamlList(before, ['models'], { name: 'ours', model: 'a' });
  const twice = setInYamlList(once, ['models'], { name: 'ours', model: 'b' });
  assert.equal(
    twice,
    '# mine\nmodels:\n  # local\n  - name: other\n    model: x\n  - name: ours\n    model: b\n',
  );
  assert.throws(() => setInYamlList('models: 5', ['models'], { name: 'x' }), /models is not a list/);
});

test('a TOML block is put at the end, and replaced where it was', () => {
  const before = 'model = "gpt"\n\n[mcp]\na = 1\n';
  const once = setTomlBlock(before, '[p]\nx = 1\n');
  assert.equal(once, 'model = "gpt"\n\n[mcp]\na = 1\n\n# espalier: begin\n[p]\nx = 1\n# espalier: end\n');
  assert.equal(
    setTomlBlock(`${once}[after]\n`, '[p]\nx = 2'),
    'model = "gpt"\n\n[mcp]\na = 1\n\n[after]\n\n# espalier: begin\n[p]\nx = 2\n# espalier: end\n',
  );
  assert.equal(setTomlBlock(undefined, 'x = 1'), '# espalier: begin\nx = 1\n# espalier: end\n');
});
