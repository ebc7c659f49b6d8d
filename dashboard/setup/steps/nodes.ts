// Step 3 of a controller: the other machines as they appear, each let in by the code that it shows.
import { setTimeout as sleep } from 'node:timers/promises';
import { EspalierError } from '../../../protocol/errors.ts';
import type { PairingReport } from '../../../protocol/pairing.ts';
import type { NodeStatus } from '../../../protocol/status.ts';
import { formatBytes, formatPlural, printable } from '../../format.ts';
import type { Step, StepContext } from '../step.ts';
import { BLANK, type Line, type Look } from '../talk.ts';

/** Bonjour finds a node within a second or two; one that is still starting, within its start. */
const WAIT_MS = 120_000;
const POLL_MS = 500;
const PAIR = 'pair ';

export const nodes: Step = async (context) => {
  const { talk, actions, answers } = context;
  await talk.during('Letting this machine in', () => actions.pairOwn());
  if (talk.isUnattended) {
    await pairByFlags(context);
    return answers;
  }
  let trouble: string | undefined;
  for (;;) {
    const look = async () => lookAround(await seen(context), trouble);
    const { lines, options } = await look();
    talk.show(lines);
    const question = 'Which machine is to be let in?';
    const chosen = await talk.choose({ question, options, initial: options[0]?.value, look });
    if (!chosen.startsWith(PAIR)) return answers;
    const id = chosen.slice(PAIR.length);
    const { pairing } = await seen(context);
    const name = printable(pairing.waiting.find((node) => node.id === id)?.name ?? id);
    const code = await talk.enter({ question: `The code that ${name} shows (eight digits)` });
    try {
      await talk.during(`Pairing with ${name}`, () => actions.pair(id, code));
      trouble = undefined;
    } catch (error) {
      // a wrong code is typed again, not a step that failed
      trouble = error instanceof Error ? error.message : String(error);
    }
  }
};

interface Seen {
  pairing: PairingReport;
  nodes: readonly NodeStatus[];
}

async function seen({ actions }: StepContext): Promise<Seen> {
  const [pairing, status] = await Promise.all([actions.pairing(), actions.status()]);
  return { pairing, nodes: status.nodes };
}

function lookAround({ pairing, nodes: all }: Seen, trouble: string | undefined): Look {
  const lines: Line[] = [
    ...all.map((node) => nodeLine(node)),
    ...pairing.waiting.map(({ name, address }): Line => {
      return { text: `○ ${printable(name)}  at ${printable(address)}, waits to be let in`, tone: 'warn' };
    }),
    BLANK,
    { text: 'On each other machine that is to take part, and to see its code:' },
    { text: '  espalier setup --role node', tone: 'accent' },
    { text: 'They appear here within seconds of their start.', tone: 'quiet' },
    ...(trouble === undefined ? [] : [BLANK, { text: `✗ ${trouble}`, tone: 'bad' } satisfies Line]),
  ];
  const waiting = pairing.waiting.filter(({ showsCode }) => showsCode);
  const here = all.filter(({ state }) => state === 'connected').length;
  return {
    lines,
    options: [
      ...waiting.map(({ id, name }) => ({ value: `${PAIR}${id}`, label: `let in ${printable(name)}` })),
      { value: 'on', label: `go on with ${formatPlural(here, 'node')}` },
    ],
  };
}

function nodeLine({ name, chip, memoryBytes, address, state }: NodeStatus): Line {
  const what = `${printable(chip)}, ${formatBytes(memoryBytes)}, at ${printable(address)}`;
  return state === 'connected'
    ? { text: `● ${printable(name)}  ${what}`, tone: 'good' }
    : { text: `✗ ${printable(name)}  ${what}: lost`, tone: 'bad' };
}

/** Lets in whoever has a code among the flags, until so many nodes are there as were asked for. */
async function pairByFlags(context: StepContext): Promise<void> {
  const { talk, actions, flags } = context;
  const wanted = flags.nodes ?? flags.codes.size + 1;
  const deadline = performance.now() + WAIT_MS;
  await talk.during(`Waiting for ${formatPlural(wanted, 'node')}`, async (tell, signal) => {
    const tried = new Set<string>();
    for (let shown = ''; ; await sleep(POLL_MS, undefined, { signal })) {
      const { pairing, nodes: all } = await seen(context);
      const connected = all.filter(({ state }) => state === 'connected');
      const { lines } = lookAround({ pairing, nodes: all }, undefined);
      const text = JSON.stringify(lines);
      if (text !== shown) tell(lines.slice(0, all.length + pairing.waiting.length));
      shown = text;
      if (connected.length >= wanted) return;
      for (const { id, name } of pairing.waiting) {
        const code = flags.codes.get(name) ?? flags.codes.get(id);
        if (code === undefined || tried.has(id)) continue;
        tried.add(id); // the controller lists it for a moment after it was let in
        await actions.pair(id, code);
      }
      if (performance.now() <= deadline) continue;
      const others = pairing.waiting.map(({ name }) => name).join(', ') || 'nobody';
      throw new EspalierError(
        'not_enough_nodes',
        `${connected.length} of ${wanted} nodes came within ${WAIT_MS / 1000} s; without a code wait: ${others}`,
      );
    }
  });
}
