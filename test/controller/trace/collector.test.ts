import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { TraceCollector } from '../../../controller/trace/collector.ts';
import { ring } from './ring.ts';

const [A, B] = ring({ computeUs: [900, 500], linkUs: [60, 60] }).map(({ steps }) => steps);

function collector(timeoutMs?: number) {
  const asked: string[] = [];
  const traces = new TraceCollector((epoch, nodeId) => asked.push(`${nodeId} of ${epoch}`), timeoutMs);
  return { asked, traces };
}

describe('collector', () => {
  test('asks every node once and has what they say, whoever answers first', async () => {
    const { asked, traces } = collector();
    const both = [traces.collect(3, ['a', 'b']), traces.collect(3, ['a', 'b'])];
    traces.receive(3, 'b', B ?? []);
    traces.receive(3, 'a', A ?? []);
    for (const told of await Promise.all(both)) assert.deepEqual([told.get('a'), told.get('b')], [A, B]);
    assert.deepEqual(asked, ['a of 3', 'b of 3']);
  });

  test('who does not answer is missing after the deadline, and may be asked again', async () => {
    const { asked, traces } = collector(20);
    const told = traces.collect(3, ['a', 'b']);
    traces.receive(3, 'a', A ?? []);
    assert.deepEqual([...(await told).keys()], ['a']);
    traces.receive(3, 'b', B ?? []); // too late: nobody asks
    const again = traces.collect(3, ['b']);
    traces.receive(3, 'b', B ?? []);
    assert.deepEqual([...(await again).keys()], ['b']);
    assert.equal(asked.length, 3);
  });

  test('answers of another epoch, of strangers, and second answers change nothing', async () => {
    const { traces } = collector();
    const told = traces.collect(3, ['a', 'b']);
    traces.receive(2, 'a', B ?? []);
    traces.receive(3, 'c', B ?? []);
    traces.receive(3, 'a', A ?? []);
    traces.receive(3, 'a', B ?? []);
    traces.receive(3, 'b', B ?? []);
    assert.deepEqual(
      [...(await told)],
      [
        ['a', A],
        ['b', B],
      ],
    );
  });

  test('a new deployment ends the asking of the old one', async () => {
    const { traces } = collector();
    const old = traces.collect(3, ['a', 'b']);
    traces.receive(3, 'a', A ?? []);
    const present = traces.collect(4, ['a']);
    assert.deepEqual([...(await old).keys()], ['a']);
    traces.receive(4, 'a', A ?? []);
    assert.equal((await present).size, 1);
  });
});
