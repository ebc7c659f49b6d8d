// `networksetup -listallhardwareports`: which network interface belongs to which port. It is the only place that says
// so: `Thunderbolt 2` may be en3, or en6, or en2.
import type { FactNote } from '../../../protocol/facts.ts';
import { MAX_INTERFACES } from '../../../protocol/limits.ts';
import { atMost, isInterfaceName, label, lines, note, type Parsed } from '../text.ts';

const SOURCE = 'networksetup -listallhardwareports';

export interface HardwarePort {
  portName: string;
  interface: string;
}

export function parseHardwarePorts(text: string): Parsed<HardwarePort[]> {
  const notes: FactNote[] = [];
  const ports: HardwarePort[] = [];
  let portName: string | null = null;
  for (const line of lines(text)) {
    const [, key, value] = /^(Hardware Port|Device): (.{1,300})$/.exec(line) ?? [];
    if (key === 'Hardware Port') portName = label(value);
    else if (key === 'Device') {
      if (portName !== null && isInterfaceName(value)) ports.push({ portName, interface: value });
      portName = null;
    }
  }
  if (ports.length === 0)
    notes.push(note(SOURCE, 'it named no port, so Thunderbolt ports have no interfaces'));
  return { value: atMost(ports, MAX_INTERFACES, SOURCE, 'ports', notes), notes };
}

/** The interface of a Thunderbolt socket, by its name. */
export function thunderboltPort(
  ports: readonly HardwarePort[],
  receptacle: number | null,
): HardwarePort | undefined {
  if (receptacle === null) return undefined;
  return ports.find(({ portName }) => {
    const number = /^Thunderbolt\s(\d{1,3})$/i.exec(portName)?.[1];
    return number !== undefined && Number(number) === receptacle;
  });
}
