// What the person at the keyboard looks at, and what a key does to it. Pure: keys in, the next state and what is wanted
// of the controller out.
import type { ClusterStatus } from '../protocol/status.ts';
import { printable } from './format.ts';
import { nodeRows } from './node-rows.ts';
import { shownNodes, shownRequests } from './shown.ts';

export const PANES = ['nodes', 'requests', 'happened'] as const;
export type Pane = (typeof PANES)[number];

/** What the controller is asked to do once the person has said yes. */
export type Wish =
  | { kind: 'cancel'; requestId: string }
  | { kind: 'drain'; nodeId: string; now: boolean }
  | { kind: 'undrain'; nodeId: string }
  | { kind: 'pair'; nodeId: string; code: string };

/** What a key asks of the rest of the program. */
export type Command =
  | { kind: 'quit' }
  | { kind: 'wish'; wish: Wish }
  | { kind: 'ask'; question: string }
  | { kind: 'hush' };

export interface Question {
  text: string;
  /** the key that says so, and what is done then; every other key is no */
  answers: readonly { key: string; label: string; wish: Wish }[];
}

export interface Ui {
  pane: Pane;
  /** a node's row, a request's id; null: the first one */
  nodeKey: string | null;
  requestId: string | null;
  /** lines by which what happened is scrolled */
  scroll: number;
  overlay: 'none' | 'help' | 'detail' | 'chat';
  filter: string;
  /** where letters go */
  typing: 'nothing' | 'filter' | 'chat' | 'code';
  draft: string;
  /** who is let in once its code is typed */
  newcomer: { id: string; name: string } | null;
  code: string;
  isPaused: boolean;
  question: Question | null;
  /** what became of the last wish */
  notice: string | null;
}

export const INITIAL_UI: Ui = {
  pane: 'nodes',
  nodeKey: null,
  requestId: null,
  scroll: 0,
  overlay: 'none',
  filter: '',
  typing: 'nothing',
  draft: '',
  newcomer: null,
  code: '',
  isPaused: false,
  question: null,
  notice: null,
};

/** A key as a terminal gives it: a name, or the text that was typed or pasted. */
export interface Key {
  name:
    | 'up'
    | 'down'
    | 'pageUp'
    | 'pageDown'
    | 'return'
    | 'escape'
    | 'tab'
    | 'backspace'
    | 'interrupt'
    | 'text';
  text: string;
}

const MAX_FILTER_CHARS = 60;
const MAX_DRAFT_CHARS = 4_000;
/** Eight digits, however they are grouped. */
const MAX_CODE_CHARS = 12;
const PAGE = 10;
const MAX_SCROLL = 1_000;

export interface Pressed {
  ui: Ui;
  command?: Command;
}

/** @param status what is on the screen; null before the first picture */
export function press(ui: Ui, key: Key, status: ClusterStatus | null): Pressed {
  if (key.name === 'interrupt') return { ui, command: { kind: 'quit' } };
  if (ui.question) return answered(ui, ui.question, key);
  if (ui.typing === 'code') return codeTyped(ui, key, status);
  if (ui.typing !== 'nothing') return typed(ui, key);
  const calm = { ...ui, notice: null };
  switch (key.name) {
    case 'up':
      return { ui: moved(calm, -1, status) };
    case 'down':
      return { ui: moved(calm, 1, status) };
    case 'pageUp':
      return { ui: moved(calm, -PAGE, status) };
    case 'pageDown':
      return { ui: moved(calm, PAGE, status) };
    case 'tab':
      return { ui: { ...calm, pane: PANES[(PANES.indexOf(ui.pane) + 1) % PANES.length] ?? 'nodes' } };
    case 'return':
      return { ui: { ...calm, overlay: ui.overlay === 'none' ? 'detail' : 'none' } };
    case 'escape':
      if (ui.overlay === 'chat') return { ui: { ...calm, overlay: 'none' }, command: { kind: 'hush' } };
      return { ui: { ...calm, overlay: 'none', filter: ui.overlay === 'none' ? '' : ui.filter } };
    case 'text':
      return letter(calm, key.text, status);
    default:
      return { ui };
  }
}

function letter(ui: Ui, text: string, status: ClusterStatus | null): Pressed {
  switch (text) {
    case 'q':
      return { ui, command: { kind: 'quit' } };
    case 'j':
      return { ui: moved(ui, 1, status) };
    case 'k':
      return { ui: moved(ui, -1, status) };
    case '?':
      return { ui: { ...ui, overlay: ui.overlay === 'help' ? 'none' : 'help' } };
    case 'p':
      return { ui: { ...ui, isPaused: !ui.isPaused } };
    case '/':
      return { ui: { ...ui, overlay: 'none', typing: 'filter' } };
    case 't':
      return { ui: { ...ui, overlay: 'chat', typing: 'chat' } };
    case 'c':
      return { ui: { ...ui, ...cancelQuestion(ui, status) } };
    case 'd':
      return { ui: { ...ui, ...drainQuestion(ui, status) } };
    case 'a':
      return { ui: { ...ui, ...nextNewcomer(ui, status) } };
    default:
      return { ui };
  }
}

function answered(ui: Ui, { answers }: Question, { text }: Key): Pressed {
  const answer = answers.find(({ key }) => key === text);
  const asked = { ...ui, question: null };
  return answer ? { ui: asked, command: { kind: 'wish', wish: answer.wish } } : { ui: asked };
}

function typed(ui: Ui, { name, text }: Key): Pressed {
  const isChat = ui.typing === 'chat';
  const before = isChat ? ui.draft : ui.filter;
  const written = (after: string): Ui => (isChat ? { ...ui, draft: after } : { ...ui, filter: after });
  switch (name) {
    case 'return':
      if (!isChat) return { ui: { ...ui, typing: 'nothing' } };
      if (before.trim() === '') return { ui };
      return { ui: { ...ui, draft: '' }, command: { kind: 'ask', question: before.trim() } };
    case 'escape':
      if (isChat) return { ui: { ...ui, typing: 'nothing', overlay: 'none' }, command: { kind: 'hush' } };
      return { ui: { ...ui, typing: 'nothing', filter: '' } };
    case 'backspace':
      return { ui: written([...before].slice(0, -1).join('')) };
    case 'text':
      return {
        ui: written((before + printable(text)).slice(0, isChat ? MAX_DRAFT_CHARS : MAX_FILTER_CHARS)),
      };
    default:
      return { ui };
  }
}

function codeTyped(ui: Ui, { name, text }: Key, status: ClusterStatus | null): Pressed {
  const { newcomer, code } = ui;
  const over: Ui = { ...ui, typing: 'nothing', newcomer: null, code: '' };
  switch (name) {
    case 'return':
      if (!newcomer || code.trim() === '') return { ui };
      return {
        ui: over,
        command: { kind: 'wish', wish: { kind: 'pair', nodeId: newcomer.id, code: code.trim() } },
      };
    case 'escape':
      return { ui: over };
    case 'tab':
      return { ui: { ...over, ...nextNewcomer(ui, status) } };
    case 'backspace':
      return { ui: { ...ui, code: code.slice(0, -1) } };
    case 'text':
      return { ui: { ...ui, code: (code + text.replaceAll(/[^\d -]/g, '')).slice(0, MAX_CODE_CHARS) } };
    default:
      return { ui };
  }
}

/** The node that waits after the one whose code is asked for, or the first. */
function nextNewcomer({ newcomer }: Ui, status: ClusterStatus | null): Partial<Ui> {
  const waiting = status?.waiting ?? [];
  const place = waiting.findIndex(({ id }) => id === newcomer?.id);
  const next = waiting[(place + 1) % Math.max(waiting.length, 1)];
  if (!next) return { notice: 'No node waits to be let in: start `espalier agent` on it first.' };
  return { typing: 'code', newcomer: next, code: '' };
}

function moved(ui: Ui, by: number, status: ClusterStatus | null): Ui {
  if (!status) return ui;
  if (ui.pane === 'nodes') {
    const keys = shownNodes(nodeRows(status), ui.filter).map(({ key }) => key);
    return { ...ui, nodeKey: neighbour(keys, ui.nodeKey, by) };
  }
  if (ui.pane === 'requests') {
    const ids = shownRequests(status.requests, ui.filter).map(({ id }) => id);
    return { ...ui, requestId: neighbour(ids, ui.requestId, by) };
  }
  return { ...ui, scroll: Math.min(Math.max(0, ui.scroll + by), MAX_SCROLL) };
}

function neighbour(keys: readonly string[], current: string | null, by: number): string | null {
  const place = Math.max(0, current === null ? 0 : keys.indexOf(current));
  return keys[Math.min(Math.max(0, place + by), keys.length - 1)] ?? null;
}

function cancelQuestion(ui: Ui, status: ClusterStatus | null): Partial<Ui> {
  const requests = shownRequests(status?.requests ?? [], ui.filter);
  const request = requests.find(({ id }) => id === ui.requestId) ?? requests[0];
  if (ui.pane !== 'requests' || !request)
    return { notice: 'Choose a request first: tab to the requests, then j and k.' };
  const who = request.client ? ` of ${printable(request.client)}` : '';
  const text = `Cancel the request ${printable(request.id).slice(0, 8)}${who}, after ${request.tokens} tokens?`;
  const wish: Wish = { kind: 'cancel', requestId: request.id };
  return { question: { text, answers: [{ key: 'y', label: 'y yes', wish }] } };
}

function drainQuestion(ui: Ui, status: ClusterStatus | null): Partial<Ui> {
  const rows = status ? shownNodes(nodeRows(status), ui.filter) : [];
  const row = rows.find(({ key }) => key === ui.nodeKey) ?? rows[0];
  const node = row?.node;
  if (ui.pane !== 'nodes' || !row || !node)
    return { notice: 'Choose a node first: tab to the nodes, then j and k.' };
  const name = printable(row.name);
  const { id: nodeId } = node;
  if (node.isDrained) {
    const wish: Wish = { kind: 'undrain', nodeId };
    return {
      question: { text: `Use ${name} for plans again?`, answers: [{ key: 'y', label: 'y yes', wish }] },
    };
  }
  const drain = (now: boolean): Wish => ({ kind: 'drain', nodeId, now });
  return {
    question: {
      text: `Drain ${name}?`,
      answers: [
        { key: 'y', label: 'y when no request runs', wish: drain(false) },
        { key: 'a', label: 'a at once', wish: drain(true) },
      ],
    },
  };
}
