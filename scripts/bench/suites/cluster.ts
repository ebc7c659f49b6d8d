// Suite `cluster`: what splitting a model over processes costs, and what a hop costs above its bare socket.
import { demoModelDir } from '../../cli/package-root.ts';
import { type BenchCluster, bringUp } from '../bench-cluster.ts';
import { type Figure, figure, type SuiteContext } from '../figure.ts';
import { stepMs } from '../generation.ts';
import { compareRoundTrips } from '../hop-round-trip.ts';
import { inTurn } from '../in-turn.ts';

const ROUNDS = 7;
const TOKENS = 150;
const PROMPT_IDS = [0, 3, 24, 26, 27, 225, 15, 225, 21];
/** R1's hidden state of one token in bfloat16 (7,168 x 2 bytes). */
const HIDDEN_BYTES = 14_336;

export async function clusterSuite(context: SuiteContext): Promise<Figure[]> {
  return [await decode(context), ...(await hop(context))];
}

async function decode({ say, rounds: wanted = ROUNDS }: SuiteContext): Promise<Figure> {
  const modelDir = demoModelDir();
  await using three = await bringUp({ modelDir, stages: 3 });
  await using one = await bringUp({ modelDir, stages: 1 });
  const decodeMs = (cluster: BenchCluster) => async (promptIds: number[]) =>
    stepMs(await cluster.generate(promptIds, TOKENS));
  // the first answer of a fresh process is slower than all that follow
  for (const cluster of [three, one]) await cluster.generate(PROMPT_IDS, TOKENS);
  const { ratio, rounds } = await inTurn(
    wanted,
    () => PROMPT_IDS,
    [decodeMs(three), decodeMs(one)],
    (threeMs, oneMs, round) =>
      say(`round ${round}: 3 stages ${threeMs.toFixed(2)} ms a token, 1 stage ${oneMs.toFixed(2)} ms`),
  );
  return figure({
    suite: 'cluster',
    name: 'decode of one stream, 3 stages against 1',
    value: ratio,
    unit: 'ratio of tokens per second',
    aim: '>= 0.9',
    compared: `median of ${rounds} rounds in turn, ${TOKENS} tokens each, demo model, all on this machine`,
  });
}

async function hop({ say, rounds: wanted }: SuiteContext): Promise<Figure[]> {
  const { hopUs, tcpUs, tlsUs, againstTcp, againstTls, rounds } = await compareRoundTrips(
    HIDDEN_BYTES,
    wanted,
  );
  say(
    `round trip of ${HIDDEN_BYTES} bytes: hop ${hopUs.toFixed(0)} µs, ` +
      `bare TLS 1.3 ${tlsUs.toFixed(0)} µs, bare TCP ${tcpUs.toFixed(0)} µs`,
  );
  const common = { suite: 'cluster', unit: 'ratio of times' };
  const compared = `median of ${rounds} rounds in turn between the same two processes, step frames of ${HIDDEN_BYTES} bytes of hidden state both ways`;
  return [
    figure({
      ...common,
      name: 'round trip of a hop against a bare TLS 1.3 ping-pong',
      value: againstTls,
      aim: '<= 1.5',
      compared,
    }),
    figure({
      ...common,
      name: 'round trip of a hop against a bare TCP ping-pong',
      value: againstTcp,
      aim: null,
      compared: `${compared}; what TLS costs is in it`,
    }),
  ];
}
