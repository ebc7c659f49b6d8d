// Suite `cluster`: what splitting a model over processes costs, and what a hop costs above its bare socket.
import { bringUp, decodeMs } from '../demo-cluster.ts';
import { type Figure, figure, median } from '../figure.ts';
import { compareRoundTrips } from '../hop-round-trip.ts';

const ROUNDS = 7;
const TOKENS = 150;
/** R1's hidden state of one token in bfloat16 (7,168 x 2 bytes). */
const HIDDEN_BYTES = 14_336;

export async function clusterSuite(say: (line: string) => void): Promise<Figure[]> {
  return [await decode(say), await hop(say)];
}

async function decode(say: (line: string) => void): Promise<Figure> {
  const [three, one] = [await bringUp(3), await bringUp(1)];
  try {
    // the first answer of a fresh process is slower than all that follow
    for (const cluster of [three, one]) await decodeMs(cluster, TOKENS);
    const ratios: number[] = [];
    for (let round = 1; round <= ROUNDS; round++) {
      const oneMs = await decodeMs(one, TOKENS);
      const threeMs = await decodeMs(three, TOKENS);
      ratios.push(oneMs / threeMs);
      say(`round ${round}: 3 stages ${threeMs.toFixed(2)} ms a token, 1 stage ${oneMs.toFixed(2)} ms`);
    }
    return figure({
      suite: 'cluster',
      name: 'decode of one stream, 3 stages against 1',
      value: median(ratios),
      unit: 'ratio of tokens per second',
      aim: '>= 0.9',
      compared: `median of ${ROUNDS} rounds in turn, ${TOKENS} tokens each, demo model, all on this machine`,
    });
  } finally {
    await three.down();
    await one.down();
  }
}

async function hop(say: (line: string) => void): Promise<Figure> {
  const { hopUs, bareUs, ratio, rounds } = await compareRoundTrips(HIDDEN_BYTES);
  say(`round trip of ${HIDDEN_BYTES} bytes: hop ${hopUs.toFixed(0)} µs, bare TCP ${bareUs.toFixed(0)} µs`);
  return figure({
    suite: 'cluster',
    name: 'round trip of a hop against a bare TCP ping-pong',
    value: ratio,
    unit: 'ratio of times',
    aim: '<= 1.5',
    compared: `median of ${rounds} rounds in turn between the same two processes, step frames of ${HIDDEN_BYTES} bytes of hidden state both ways`,
  });
}
