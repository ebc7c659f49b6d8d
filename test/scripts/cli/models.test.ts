// What `espalier models` prints, and the rate that it takes. The commands themselves are tried over a cluster:
// test/cluster/models.test.ts and test/lab/models.test.ts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pullLine } from '../../../dashboard/pull-text.ts';
import type { PullProgress } from '../../../protocol/models.ts';
import { costText, nodeLines, pulledText } from '../../../scripts/cli/models/models-text.ts';
import { parseRate } from '../../../scripts/cli/models.ts';

const pull: PullProgress = {
  id: 'one',
  kind: 'pull',
  model: 'mlx-community/DeepSeek-R1-4bit',
  asked: 'mlx-community/DeepSeek-R1-4bit',
  commit: '0123456789abcdef0123456789abcdef01234567',
  state: 'pulling',
  failure: null,
  damaged: [],
  totalBytes: 400e9,
  doneBytes: 100e9,
  hubBytes: 100e9,
  copiedBytes: 2e6,
  bytesPerSecond: 50e6,
  remainingSeconds: 6_000,
  nodes: [
    {
      nodeId: 'a',
      node: 'studio-1',
      totalBytes: 200e9,
      doneBytes: 100e9,
      files: 40,
      filesDone: 20,
      active: [{ path: 'model-00021.safetensors', sizeBytes: 5e9, doneBytes: 1e9, from: 'hub', waits: null }],
      waits: null,
    },
    {
      nodeId: 'b',
      node: 'studio-2',
      totalBytes: 200e9,
      doneBytes: 200e9,
      files: 40,
      filesDone: 40,
      active: [],
      waits: null,
    },
  ],
};

test('a pull that runs: measured figures, and an estimate that says that it is one', () => {
  assert.equal(
    pullLine(pull),
    'mlx-community/DeepSeek-R1-4bit: pulling, 100.0 GB of 400.0 GB (25 %), 50.0 MB/s, about 1.7 h left (estimate)',
  );
  assert.deepEqual(nodeLines(pull), [
    '  studio-1: 100.0 GB of 200.0 GB, 20/40 files; model-00021.safetensors 20 % from hub',
  ]);
  const early = { ...pull, bytesPerSecond: null, remainingSeconds: null };
  assert.doesNotMatch(pullLine(early), /left/, 'without a rate there is no estimate');
});

test('what a pull and a verification did', () => {
  assert.match(pulledText(pull), /100\.0 GB came from the hub, 2\.0 MB from other nodes/);
  const verified = { ...pull, kind: 'verify' as const };
  assert.match(pulledText(verified), /every file is as it should be/);
  assert.match(pulledText({ ...verified, damaged: ['w1 on studio-2'] }), /fetched anew: w1 on studio-2/);
});

test('what a switch costs: every prediction is called one', () => {
  const cost = {
    model: 'b/large',
    replaces: 'small',
    missingBytes: 3e9,
    loadBytes: 40e9,
    nodes: 2,
    loadSeconds: 10,
    tokensPerSecond: 12.34,
    requests: 1,
  };
  assert.equal(
    costText(cost),
    'b/large in the place of small: 3.0 GB are to be fetched first; 2 nodes load 40.0 GB, about 10 s (predicted); ' +
      'then 12.3 tokens/s for one stream (predicted). 1 request runs: it has half a minute to end.',
  );
  assert.equal(costText({ ...cost, replaces: null, loadBytes: 0 }), 'b/large is deployed already.');
});

test('rates are in decimal units, and not below 1 kB/s', () => {
  assert.equal(parseRate('20MB/s'), 20_000_000);
  assert.equal(parseRate('1.5 gb'), 1_500_000_000);
  for (const wrong of ['20', '0.5kB/s', 'fast', '-1MB']) assert.throws(() => parseRate(wrong), /a rate/);
});
