// Suite `pull`: how long it takes to bring a model to six nodes, against one node in the same run. In a lab whose links are
// faster than the line to the hub, as in a home.
import { HubScene, type HubSceneOptions } from '../../lab/hub-scene.ts';
import { noLab } from '../../lab/lab.ts';
import { BenchError } from '../bench-error.ts';
import { type Figure, figure, median, type SuiteContext } from '../figure.ts';

const MODEL_BYTES = 240_000_000;
const SHARDS = 12;
/** 25 MB/s: a fast home's line, and slow enough that six nodes' hashing does not fill two cores. */
const HUB_GBPS = 0.2;

/** @throws BenchError where there can be no lab */
export async function pullSuite({ say, rounds = 1 }: SuiteContext): Promise<Figure[]> {
  const reason = await noLab();
  if (reason) throw new BenchError(reason, 'Run it as root on Linux, with ip and tc.');
  const options = { shards: SHARDS, modelBytes: MODEL_BYTES, hubGbps: HUB_GBPS };
  const times = { one: [] as number[], six: [] as number[] };
  let share = 0;
  for (let round = 0; round < rounds; round += 1) {
    const one = await pullOnce({ ...options, macs: 1 });
    const six = await pullOnce({ ...options, macs: 6 });
    say(`one node ${one.seconds.toFixed(1)} s, six nodes ${six.seconds.toFixed(1)} s`);
    times.one.push(one.seconds);
    times.six.push(six.seconds);
    share = six.sentBytes / one.sentBytes;
  }
  const [one, six] = [median(times.one), median(times.six)];
  const compared = `${MODEL_BYTES / 1e6} MB in ${SHARDS} shards from a hub at ${HUB_GBPS} Gbit/s, nodes on 1 Gbit/s and 10 Gbit/s; ${rounds} rounds`;
  return [
    figure({
      suite: 'pull',
      name: 'wall time of a pull to six nodes against one',
      value: six / one,
      unit: 'times',
      aim: '<= 1.3',
      compared: `${six.toFixed(1)} s against ${one.toFixed(1)} s; ${compared}`,
    }),
    figure({
      suite: 'pull',
      name: 'bytes from the hub for six nodes against one',
      value: share,
      unit: 'times',
      aim: '<= 1.01',
      compared,
    }),
  ];
}

async function pullOnce(options: HubSceneOptions): Promise<{ seconds: number; sentBytes: number }> {
  await using scene = await HubScene.up(options);
  const began = performance.now();
  const pull = await scene.end(await scene.begin());
  const seconds = (performance.now() - began) / 1000;
  if (pull.failure) throw new Error(`the pull failed: ${pull.failure.message}`);
  return { seconds, sentBytes: await scene.hubSentBytes() };
}
