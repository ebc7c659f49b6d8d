// The notes of all parsers as one list that stays short: nobody reads fifty of them, and one odd source must not drown
// the others.
import type { FactNote } from '../../protocol/facts.ts';
import { MAX_FACT_NOTES } from '../../protocol/limits.ts';
import { note } from './text.ts';

const MAX_PER_SOURCE = 4;

export function shortList(notes: readonly FactNote[]): FactNote[] {
  const bySource = new Map<string, FactNote[]>();
  for (const entry of notes) {
    const ofSource = bySource.get(entry.source) ?? [];
    if (ofSource.every(({ text }) => text !== entry.text)) ofSource.push(entry);
    bySource.set(entry.source, ofSource);
  }
  const kept = [...bySource].flatMap(([source, ofSource]) => {
    const rest = ofSource.length - MAX_PER_SOURCE;
    return rest > 0
      ? [...ofSource.slice(0, MAX_PER_SOURCE), note(source, `and ${rest} more like these`)]
      : ofSource;
  });
  return kept.slice(0, MAX_FACT_NOTES);
}
