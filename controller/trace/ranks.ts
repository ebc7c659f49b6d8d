// What there is to say of where the time goes on MLX Distributed, whose ranks tell no steps: pure, from the step that each
// rank has timed in its parts.
import type { Split } from '../../protocol/ranks.ts';
import type { RankTimes } from '../../protocol/trace.ts';

const NO_STEPS =
  'MLX Distributed tells no steps, because MLX computes each as a whole: there is nothing to draw. ' +
  'Instead, each rank times one decode step in 32, its computing apart from its waiting.';

/** @param stages with their nodes' names @param times of those ranks that have timed a step */
export function rankVerdict(
  stages: readonly { index: number; node: string }[],
  { split, times }: { split: Split; times: readonly RankTimes[] },
): string {
  const missing = stages.filter(({ index }) => !times.some((rank) => rank.index === index));
  if (missing.length > 0) {
    const who =
      missing.length === stages.length ? 'None has' : `${missing.map(({ node }) => node).join(', ')} has not`;
    return `${NO_STEPS} ${who} timed one yet: ask for an answer of a hundred tokens.`;
  }
  const stepMs = Math.max(...times.map(({ computeMs, waitMs }) => computeMs + waitMs));
  if (times.length === 1) return `${NO_STEPS} The only rank computes for ${ms(stepMs)} a step.`;
  const computed = times.map(({ computeMs }) => computeMs);
  const slowest = times.find(({ computeMs }) => computeMs === Math.max(...computed));
  const name = stages.find(({ index }) => index === slowest?.index)?.node ?? '';
  if (split === 'tensor') {
    const linkMs = stepMs - Math.max(...computed);
    return `${NO_STEPS} All ranks compute at once: of a step of ${ms(stepMs)}, the slowest (${name}) computes for ${ms(Math.max(...computed))}; the other ${ms(linkMs)} are the sums that the ranks exchange in each layer.`;
  }
  const sumMs = computed.reduce((sum, each) => sum + each, 0);
  const restMs = Math.max(stepMs - sumMs, 0);
  return `${NO_STEPS} One rank computes after the other: of a step of ${ms(stepMs)}, all together compute for ${ms(sumMs)}, most of it ${name}; the other ${ms(restMs)} are the links and the changes from rank to rank.`;
}

function ms(milliseconds: number): string {
  return `${milliseconds.toFixed(milliseconds < 99.5 ? 1 : 0)} ms`;
}
