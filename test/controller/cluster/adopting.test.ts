// A controller that was started anew takes over what the agents hold, by transcripts: events in, effects out.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Story } from './story.ts';

describe('a controller that was started anew', () => {
  function restarted(story: Story): Story {
    const { previous } = story.cluster;
    return new Story({ wantedNodes: 3, previous });
  }

  test('takes over what the agents hold at once, without waiting for links', () => {
    const before = new Story({ wantedNodes: 3 });
    before.serve('a', 'b', 'c');
    const after = restarted(before);
    after.links([], true);
    after.join('a', { held: before.held('a') });
    after.join('b', { held: before.held('b') });
    assert.deepEqual(after.join('c', { held: before.held('c') }), [
      'deploy 2: id-a 0-4, id-b 4-8, id-c 8-12',
    ]);
  });

  test('plans anew where one of them holds something else, or does not come', () => {
    const before = new Story({ wantedNodes: 3 });
    before.serve('a', 'b', 'c');
    const after = restarted(before);
    after.join('a', { held: before.held('a') });
    after.join('b', { held: null });
    after.join('c', { held: before.held('c') });
    assert.deepEqual(after.wait(2_000), [], 'b may still be on its way');
    assert.deepEqual(after.wait(1_000), ['deploy 2: id-a 0-4, id-b 4-8, id-c 8-12']);
  });

  test('goes beyond the epochs of nodes that come late', () => {
    const story = new Story({ wantedNodes: 1 });
    story.serve('a');
    const range = { start: 0, end: 12 };
    story.join('b', { held: { epoch: 9, index: 0, stageCount: 1, range, modelFingerprint: 'other' } });
    story.fail('a');
    story.wait(200);
    assert.equal(story.cluster.deployment?.epoch, 10);
  });

  test('begins after the newest epoch that an agent has seen, whoever gave it', () => {
    const story = new Story({ wantedNodes: 1 });
    const range = { start: 0, end: 12 };
    story.join('a', { held: { epoch: 41, index: 0, stageCount: 1, range, modelFingerprint: 'other' } });
    assert.equal(story.cluster.deployment?.epoch, 42);
  });
});
