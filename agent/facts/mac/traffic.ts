// `netstat -ib`: bytes through each interface. Two looks at it tell which interface really carried something.
import type { FactNote, MachineLoad } from '../../../protocol/facts.ts';
import { MAX_INTERFACES } from '../../../protocol/limits.ts';
import { atMost, isInterfaceName, lines, note, type Parsed, wholeNumber } from '../text.ts';

const SOURCE = 'netstat -ib';

/**
 * Each interface has a row for itself (`<Link#19>`) and one for each address. Columns are counted from the end, because
 * a row without a hardware address lacks one in the middle.
 */
export function parseTraffic(text: string): Parsed<MachineLoad['traffic']> {
  const notes: FactNote[] = [];
  const all = lines(text);
  const heading = (all[0] ?? '').split(/\s+/).slice(0, 40);
  const fromEnd = (title: string) => heading.length - heading.indexOf(title);
  const found = new Map<string, MachineLoad['traffic'][number]>();
  if (heading.includes('Ibytes') && heading.includes('Obytes')) {
    for (const line of all.slice(1)) {
      const cells = line.slice(0, 500).split(/\s+/);
      // a star marks an interface that is down
      const name = cells[0]?.replace(/\*$/, '');
      const receivedBytes = wholeNumber(cells.at(-fromEnd('Ibytes')));
      const sentBytes = wholeNumber(cells.at(-fromEnd('Obytes')));
      if (!isInterfaceName(name) || !cells[2]?.startsWith('<Link#')) continue;
      if (receivedBytes !== null && sentBytes !== null)
        found.set(name, { interface: name, receivedBytes, sentBytes });
    }
  }
  if (found.size === 0) notes.push(note(SOURCE, 'it told no bytes of any interface'));
  return { value: atMost([...found.values()], MAX_INTERFACES, SOURCE, 'interfaces', notes), notes };
}
