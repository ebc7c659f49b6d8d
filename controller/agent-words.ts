// What an agent says on its control connection: read, told apart, and refused in words that help where it cannot be read. It
// must not know sockets.
import { ControlEvent } from '../protocol/control.ts';
import type { NodeCheck } from '../protocol/doctor.ts';
import type { ProbeEvent } from '../protocol/probe.ts';
import type { EngineState } from '../protocol/ranks.ts';
import type { StoreEvent } from '../protocol/store.ts';
import { PROTOCOL_VERSION, versionMismatch } from '../protocol/version.ts';

/** What a node tells of its stage. */
export type StageEvent = Exclude<
  ControlEvent,
  { kind: 'hello' | 'refused' | 'facts' | 'load' | 'check' | 'engine' } | ProbeEvent | StoreEvent
>;

/** Who hears what a connected node says, beside the facts of its machine. */
export interface WordsListener {
  /** what it has of MLX Distributed, whenever that changes */
  onEngine(nodeId: string, engine: EngineState): void;
  onEvent(nodeId: string, event: StageEvent): void;
  /** what a node found when it checked itself; null when it cannot be read */
  onCheck(nodeId: string, check: NodeCheck | null): void;
  onProbe(nodeId: string, event: ProbeEvent): void;
  onStore?(nodeId: string, event: StoreEvent): void;
}

type Word = Exclude<ControlEvent, { kind: 'hello' | 'refused' | 'facts' | 'load' }>;

export function passOn(listener: WordsListener, nodeId: string, word: Word): void {
  if (word.kind === 'check') listener.onCheck(nodeId, word.check);
  else if (word.kind === 'engine') listener.onEngine(nodeId, word.engine);
  else if (isProbe(word)) listener.onProbe(nodeId, word);
  else if (isStore(word)) listener.onStore?.(nodeId, word);
  else listener.onEvent(nodeId, word);
}

function isStore(event: Word): event is StoreEvent {
  return event.kind.startsWith('store-');
}

function isProbe(event: Word): event is ProbeEvent {
  return event.kind.startsWith('probe-');
}

/** @returns undefined for what is not known here */
export function readWord(text: string): ControlEvent | undefined {
  try {
    return ControlEvent.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** An agent of another version may say hello in words that are not known here: then its protocol number explains. */
export function unknownMessage(text: string): string {
  const protocol = /"protocol":(\d+)/.exec(text)?.[1];
  const mismatch = protocol
    ? versionMismatch(
        { who: 'this controller', protocol: PROTOCOL_VERSION },
        { who: 'the node', protocol: Number(protocol) },
      )
    : undefined;
  return mismatch ?? 'the node sent a message that is not known here';
}
