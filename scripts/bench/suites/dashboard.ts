// Suite `dashboard`: what watching a cluster costs on the machine that watches: six nodes, four pictures a second, eight
// streams.
import { demoModelDir } from '../../cli/package-root.ts';
import { bringUp } from '../bench-cluster.ts';
import { startDashboard } from '../dashboard/watched-dashboard.ts';
import { type Figure, figure, type SuiteContext } from '../figure.ts';

const STAGES = 6;
const STREAMS = 8;
const PROMPT_IDS = [0, 3, 24, 26, 27, 225, 15, 225, 21];
/** Eight streams over six stages that share two cores take longer than the measurement. */
const TOKENS = 4_000;
const SIZE = { columns: 120, rows: 40 };
/** The first seconds compile what is drawn. */
const WARM_UP_MS = 5_000;
const MEASURE_MS = 30_000;
const MIB = 1024 ** 2;

export async function dashboardSuite({ say }: SuiteContext): Promise<Figure[]> {
  await using cluster = await bringUp({ modelDir: demoModelDir(), stages: STAGES });
  const { controller } = cluster;
  const over = new AbortController();
  const streams = Array.from({ length: STREAMS }, async (_, stream) => {
    const sampling = { temperature: 0, topP: 1, seed: stream };
    const request = { promptIds: PROMPT_IDS, maxTokens: TOKENS, stopIds: [], sampling };
    let tokens = 0;
    for await (const { token } of controller.source.generate(request, over.signal))
      if (token !== null) tokens++;
    return tokens;
  });
  using dashboard = await startDashboard(controller.url, SIZE);
  await dashboard.measure(WARM_UP_MS);
  const { cpuShare, peakBytes, writtenBytesPerSecond, clears } = await dashboard.measure(MEASURE_MS);
  const { requestsRunning, tokensPerSecond } = controller.status();
  over.abort();
  const tokens = (await Promise.all(streams)).reduce((sum, count) => sum + count, 0);
  say(
    `${requestsRunning} streams ran at the end, ${tokensPerSecond.toFixed(0)} tok/s, ${tokens} tokens in all`,
  );
  const compared = `${STAGES} stages, ${requestsRunning} streams, 4 pictures a second of ${SIZE.columns}x${SIZE.rows} for ${MEASURE_MS / 1_000} s, demo model, all on this machine`;
  const common = { suite: 'dashboard', compared };
  return [
    figure({
      ...common,
      name: 'processor of the dashboard',
      value: cpuShare * 100,
      unit: '% of a core',
      aim: '<= 4',
    }),
    figure({ ...common, name: 'most resident memory', value: peakBytes / MIB, unit: 'MiB', aim: '<= 150' }),
    figure({ ...common, name: 'clears of the whole screen', value: clears, unit: 'times', aim: '<= 0' }),
    figure({
      ...common,
      name: 'written to the terminal',
      value: writtenBytesPerSecond / 1_024,
      unit: 'KiB/s',
      aim: null,
    }),
  ];
}
