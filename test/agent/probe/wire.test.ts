import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MAX_PROBE_PAYLOAD_BYTES, ProbeFrameReader, probeFrame } from '../../../agent/probe/wire.ts';

const STREAM = Buffer.concat([
  probeFrame('ready'),
  probeFrame('ping', 4),
  probeFrame('data', 100),
  probeFrame('received', 0, 4_294_967_295),
]);
const FRAMES = [
  { kind: 'ready', payloadBytes: 0, count: 0 },
  { kind: 'ping', payloadBytes: 4, count: 0 },
  { kind: 'data', payloadBytes: 100, count: 0 },
  { kind: 'received', payloadBytes: 0, count: 4_294_967_295 },
];

describe('frames of a measurement', () => {
  test('come out whole, however the stream is cut', () => {
    for (let size = 1; size <= STREAM.length; size++) {
      const reader = new ProbeFrameReader();
      const found = [];
      for (let at = 0; at < STREAM.length; at += size)
        found.push(...reader.push(STREAM.subarray(at, at + size)));
      assert.deepEqual(found, FRAMES, `in pieces of ${size}`);
    }
  });

  test('anything else is refused', () => {
    const strange = probeFrame('ping', 4);
    strange[0] = 99;
    const long = probeFrame('data');
    long.writeUInt32LE(MAX_PROBE_PAYLOAD_BYTES + 1, 4);
    for (const bytes of [strange, long, Buffer.from('GET / HTTP/1.1\r\n\r\n')]) {
      assert.throws(() => [...new ProbeFrameReader().push(bytes)], RangeError);
    }
  });
});
