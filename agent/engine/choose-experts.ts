// One token's experts of its scores, on the host. Pure; as ExpertRouter does it on the device.

export interface ChoiceRules {
  /** equal parts that the experts are divided into */
  groups: number;
  /** groups of which experts may be chosen: those with the largest sum of their two best */
  keptGroups: number;
  /** experts a token */
  chosen: number;
  /** whether the chosen ones' scores are divided by their sum (never that of a single one) */
  isNormed: boolean;
  /** what scores are multiplied with at the end */
  factor: number;
}

/**
 * @param scores one for each expert
 * @param correction what is added to them for the choice only
 * @returns different experts, the best first, whatever the scores are: numbers that are no numbers come last
 */
export function chooseExperts(
  scores: readonly number[],
  correction: readonly number[],
  { groups, keptGroups, chosen, isNormed, factor }: ChoiceRules,
): { experts: number[]; scores: number[] } {
  // in float32, as on the device: otherwise near ties would fall differently
  const choice = scores.map((score, expert) => Math.fround(score + (correction[expert] ?? 0)));
  if (keptGroups < groups) {
    const size = scores.length / groups;
    const sums = Array.from({ length: groups }, (_, group) => {
      const [best = 0, second = 0] = best2(choice.slice(group * size, (group + 1) * size));
      return Math.fround(best + second);
    });
    for (const group of ranked(sums).slice(keptGroups)) choice.fill(0, group * size, (group + 1) * size);
  }
  const experts = ranked(choice).slice(0, chosen);
  const own = experts.map((expert) => scores[expert] as number);
  const sum = chosen > 1 && isNormed ? own.reduce((total, score) => Math.fround(total + score), 0) : 1;
  return { experts, scores: own.map((score) => (score / sum) * factor) };
}

function best2(values: readonly number[]): number[] {
  return values.toSorted(falling).slice(0, 2);
}

/** Places of the values from the largest to the smallest, equal ones in their order. */
function ranked(values: readonly number[]): number[] {
  return Array.from(values.keys()).sort((a, b) => falling(values[a] as number, values[b] as number));
}

function falling(a: number, b: number): number {
  if (Number.isNaN(a)) return Number.isNaN(b) ? 0 : 1;
  return Number.isNaN(b) ? -1 : b - a;
}
