// The pipeline as cards, one a stage: what its node does, and which one limits all. It keeps its cards, and only writes what is
// new into them.
import { element, setText } from './dom.js';
import { duration, layers, memory, number, percent, UNMEASURED } from './format.js';
import { drawGraph, newGraph } from './graph.js';

/** A minute. */
const ROOM = 60;
const LEAST_ROOM = 20;
/** A stage limits the others when its step takes at least this many times as long as the mean. */
const LIMIT_SHARE = 1.1;

/** @typedef {{ root: HTMLElement, parts: Record<string, HTMLElement>, graph: SVGElement }} Card */

export class Stages {
  /** @param {HTMLElement} list @param {HTMLElement} strip */
  constructor(list, strip) {
    this.list = list;
    this.strip = strip;
    /** @type {Map<string, Card>} */
    this.cards = new Map();
    /** @type {Map<string, number[]>} */
    this.histories = new Map();
  }

  /** Takes down what the graphs show, once a second. @param {any} status */
  sample({ stages }) {
    for (const { nodeId, tokensPerSecond } of stages) {
      const history = this.histories.get(nodeId) ?? [];
      this.histories.set(nodeId, history);
      history.push(tokensPerSecond ?? 0);
      if (history.length > ROOM) history.shift();
    }
    const present = new Set(stages.map((/** @type {any} */ { nodeId }) => nodeId));
    for (const nodeId of this.histories.keys()) if (!present.has(nodeId)) this.histories.delete(nodeId);
  }

  /** @param {any} status */
  show(status) {
    const limiting = limitingStage(status.stages);
    const present = new Set();
    for (const stage of status.stages) {
      const key = `${stage.nodeId}`;
      present.add(key);
      let card = this.cards.get(key);
      if (card === undefined) {
        card = newCard();
        this.cards.set(key, card);
      }
      const node = status.nodes.find((/** @type {any} */ one) => one.id === stage.nodeId);
      fill(card, stage, node, stage === limiting);
      const history = this.histories.get(key) ?? [];
      drawGraph(card.graph, history, Math.max(LEAST_ROOM, history.length));
      const at = this.list.children[stage.index];
      if (at !== card.root) this.list.insertBefore(card.root, at ?? null);
    }
    for (const [key, card] of this.cards) {
      if (present.has(key)) continue;
      card.root.remove();
      this.cards.delete(key);
    }
    this.showStrip(status, limiting);
  }

  /** The layers as one tree along the nodes. @param {any} status @param {any} limiting */
  showStrip({ stages }, limiting) {
    const wanted = stages.map((/** @type {any} */ stage) => {
      const part = element('span', {
        class: stage === limiting ? 'limit' : '',
        title: `${stage.node}: layers ${layers(stage.range)}`,
      });
      part.style.flexGrow = String(stage.range.end - stage.range.start);
      return part;
    });
    this.strip.replaceChildren(...wanted);
    const text = stages
      .map((/** @type {any} */ stage) => `${stage.node} layers ${layers(stage.range)}`)
      .join(', ');
    this.strip.setAttribute('aria-label', text === '' ? 'no layers are deployed' : text);
  }
}

/** The slowest, where it stands out. @param {any[]} stages */
export function limitingStage(stages) {
  const timed = stages.filter(({ stepTimeMs }) => stepTimeMs !== null);
  if (timed.length < 2) return undefined;
  const mean = timed.reduce((sum, { stepTimeMs }) => sum + stepTimeMs, 0) / timed.length;
  const slowest = timed.reduce((one, other) => (other.stepTimeMs > one.stepTimeMs ? other : one));
  return slowest.stepTimeMs >= LIMIT_SHARE * mean ? slowest : undefined;
}

/** @returns {Card} */
function newCard() {
  /** @type {Record<string, HTMLElement>} */
  const parts = {};
  const part = (/** @type {string} */ name, /** @type {string} */ tag, className = '') => {
    const made = element(tag, { class: className });
    parts[name] = made;
    return made;
  };
  const figure = (/** @type {string} */ name, /** @type {string} */ term) =>
    element('div', {}, [element('dt', { text: term }), part(name, 'dd')]);
  const meter = (/** @type {string} */ name, /** @type {string} */ term, /** @type {string[]} */ bars) =>
    element('div', { class: 'meter' }, [
      element('div', { class: 'label' }, [element('span', { text: term }), part(`${name}-text`, 'span')]),
      element(
        'div',
        { class: `bar ${name}` },
        bars.map((bar, index) => part(bar, 'i', index > 0 ? 'second' : '')),
      ),
    ]);
  const graph = newGraph('spark', 240, 40);
  const root = element('li', { class: 'card stage' }, [
    element('h3', {}, [part('name', 'span'), part('badge', 'span', 'badge')]),
    part('about', 'p', 'about'),
    element('dl', { class: 'figures' }, [
      figure('rate', 'tok/s'),
      figure('step', 'step'),
      figure('layers', 'layers'),
    ]),
    graph,
    meter('busy', 'busy', ['busy-bar']),
    meter('memory', 'memory', ['weights-bar', 'kv-bar']),
    meter('gpu', 'GPU', ['gpu-bar']),
    part('hop', 'p', 'hop'),
  ]);
  return { root, parts, graph };
}

/** @param {Card} card @param {any} stage @param {any} node @param {boolean} isLimit */
function fill({ root, parts }, stage, node, isLimit) {
  const set = (/** @type {string} */ name, /** @type {string} */ text) =>
    setText(/** @type {HTMLElement} */ (parts[name]), text);
  const width = (/** @type {string} */ name, /** @type {number | null | undefined} */ share) => {
    /** @type {HTMLElement} */ (parts[name]).style.width = `${100 * Math.min(1, Math.max(0, share ?? 0))}%`;
  };
  const isLost = node?.state === 'lost' || stage.state === 'failed';
  root.className = `card stage${isLost ? ' lost' : isLimit ? ' limit' : ''}`;
  set('name', stage.node);
  set('badge', isLost ? (node?.state === 'lost' ? 'lost' : 'failed') : isLimit ? 'slowest' : stage.state);
  const facts = node?.facts;
  const heat = facts?.thermalLevel && facts.thermalLevel !== 'nominal' ? `thermal ${facts.thermalLevel}` : '';
  const watts = typeof facts?.load?.watts === 'number' ? `${facts.load.watts.toFixed(0)} W` : '';
  set('about', [node?.chip, watts, heat].filter((text) => text).join(' · '));
  set('rate', number(stage.tokensPerSecond));
  set('step', duration(stage.stepTimeMs));
  set('layers', layers(stage.range));
  set('busy-text', percent(stage.busyShare));
  width('busy-bar', stage.busyShare);
  const total = facts?.gpuMemoryLimit?.bytes ?? node?.memoryBytes ?? 0;
  const kv = stage.kvBytes ?? 0;
  set(
    'memory-text',
    `${memory(stage.weightBytes)} + KV ${memory(stage.kvBytes)} of ${total > 0 ? memory(total) : UNMEASURED}`,
  );
  width('weights-bar', total > 0 ? stage.weightBytes / total : 0);
  width('kv-bar', total > 0 ? kv / total : 0);
  const gpu = facts?.load?.gpuUseShare;
  const gpuMeter = /** @type {HTMLElement} */ (parts['gpu-bar']).closest('.meter');
  if (gpuMeter instanceof HTMLElement) gpuMeter.hidden = typeof gpu !== 'number';
  set('gpu-text', percent(gpu));
  width('gpu-bar', gpu);
  set('hop', hopText(stage));
}

/** @param {any} stage */
function hopText({ index, hop, hopBytesPerSecond }) {
  const bytes = typeof hopBytesPerSecond === 'number' ? `${memory(hopBytesPerSecond)}/s` : '';
  const way = hop ? `${hop.kind}, ${(hop.rttP50Us / 1000).toFixed(2)} ms, ${hop.gbps.toFixed(1)} Gb/s` : '';
  return [index === 0 ? 'head' : `stage ${index + 1}`, way && `in by ${way}`, bytes && `sends ${bytes}`]
    .filter((text) => text)
    .join(' · ');
}
