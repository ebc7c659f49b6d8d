// The page: what a snapshot of the status stream becomes on the screen. It knows no addresses; what a later version of the
// stream has more, it leaves alone.
import { byId, element, pair, setText } from './dom.js';
import { age, clock, count, duration, memory, number, short } from './format.js';
import { drawGraph } from './graph.js';
import { Stages } from './stages.js';
import { followStatus } from './stream.js';

/** Five minutes, a value a second; a page that was just opened shows half a minute larger. */
const HISTORY = 300;
const LEAST_HISTORY = 30;
const SAMPLE_MS = 900;
const EVENTS_SHOWN = 12;
const FINDINGS_SHOWN = 8;
const GOOD = new Set(['serving']);
const BAD = new Set(['degraded', 'stopping']);

const stages = new Stages(byId('stages'), byId('layers'));
/** @type {number[]} */
const history = [];
/** @type {any} */
let last;
let isPaused = false;
/** by the controller's clock */
let sampledAt = 0;
let shownEvents = '';
let shownFindings = '';

/** @param {any} status */
function show(status) {
  byId('main').hidden = false;
  byId('door').hidden = true;
  document.body.classList.remove('stale');
  const { model, state, reason } = status;
  const state_ = byId('state');
  setText(state_, state);
  state_.className = `state${GOOD.has(state) ? ' good' : BAD.has(state) ? ' bad' : ''}`;
  setText(
    byId('model'),
    model
      ? `${model.id} · ${model.quantization} · ${model.layerCount} layers · ${status.engine} · epoch ${status.epoch}`
      : 'no model yet',
  );
  showTrouble(reason ?? '');
  setText(byId('now'), number(status.tokensPerSecond));
  document.title = `${number(status.tokensPerSecond)} tok/s · ${state} · Espalier`;
  drawGraph(/** @type {any} */ (byId('history')), history, Math.max(LEAST_HISTORY, history.length));
  byId('tiles').replaceChildren(...tiles(status));
  stages.show(status);
  showIdle(status);
  byId('requests').replaceChildren(...requestRows(status.requests));
  showNotes(status);
  setText(
    byId('foot'),
    `Espalier ${status.espalierVersion} · ${status.nodes.length} nodes · ${count(status.tokensTotal)} tokens so far · ${clock(status.at)}`,
  );
}

/** @param {any} status */
function tiles(status) {
  const { kv } = status;
  return [
    pair('last minute', `${number(status.tokensPerSecondMinute)} tok/s`, 'tile'),
    pair('first token', duration(status.timeToFirstTokenMs), 'tile'),
    pair('KV in use', kv ? `${short(kv.liveTokens)} of ${short(kv.totalTokens)}` : '–', 'tile'),
    pair('running', count(status.requestsRunning), 'tile'),
    pair('waiting', count(status.requestsWaiting), 'tile'),
    pair('done / failed', `${count(status.requestsCompleted)} / ${count(status.requestsFailed)}`, 'tile'),
  ];
}

/** @param {any} status */
function showIdle({ nodes, stages: used, draft }) {
  const ids = new Set(used.map((/** @type {any} */ { nodeId }) => nodeId));
  const idle = nodes.filter((/** @type {any} */ { id }) => !ids.has(id));
  byId('idle-section').hidden = idle.length === 0;
  byId('idle').replaceChildren(
    ...idle.map((/** @type {any} */ { id, name, state, chip, memoryBytes }) => {
      const does = draft?.place === 'apart' && draft.nodeId === id ? `the draft, ${draft.state}` : state;
      return element('li', {}, [
        element('strong', { text: name }),
        element('span', { class: 'quiet', text: ` ${does} · ${chip} · ${memory(memoryBytes)}` }),
      ]);
    }),
  );
}

/** @param {any[]} requests */
function requestRows(requests) {
  if (requests.length === 0) {
    const cell = element('td', { class: 'quiet', text: 'Nobody asks anything right now.' });
    cell.setAttribute('colspan', '6');
    return [element('tr', {}, [cell])];
  }
  return requests.map(({ id, phase, promptTokens, tokens, tokensPerSecond, ageMs }) =>
    element('tr', {}, [
      element('td', {}, [element('code', { text: id.slice(0, 12), title: id })]),
      element('td', { text: phase }),
      element('td', { class: 'number', text: count(promptTokens) }),
      element('td', { class: 'number', text: count(tokens) }),
      element('td', { class: 'number', text: number(tokensPerSecond) }),
      element('td', { class: 'number', text: age(ageMs) }),
    ]),
  );
}

/** They change seldom, and people select what they read. @param {any} status */
function showNotes({ events, linkFindings }) {
  const newest = events.slice(-EVENTS_SHOWN).reverse();
  if (shownEvents !== JSON.stringify(newest)) {
    shownEvents = JSON.stringify(newest);
    byId('events').replaceChildren(
      ...newest.map((/** @type {any} */ { at, level, text, fix }) =>
        note(level, level === 'info' ? clock(at) : `${clock(at)} ${level}`, text, fix),
      ),
    );
  }
  const findings = (linkFindings ?? []).slice(0, FINDINGS_SHOWN);
  if (shownFindings === JSON.stringify(findings)) return;
  shownFindings = JSON.stringify(findings);
  byId('findings-section').hidden = findings.length === 0;
  byId('findings').replaceChildren(
    ...findings.map((/** @type {any} */ { severity, text, fix }) => note(severity, severity, text, fix)),
  );
}

/** @param {string} level @param {string} label @param {string} text @param {string | null} fix */
function note(level, label, text, fix) {
  return element('li', { class: level }, [
    element('span', { class: 'level', text: label }),
    element('span', { text }),
    ...(fix ? [element('span', { class: 'fix', text: fix })] : []),
  ]);
}

/** @param {string} text */
function showTrouble(text) {
  const trouble = byId('trouble');
  setText(trouble, text);
  trouble.hidden = text === '';
}

const stream = followStatus({
  snapshot(status) {
    const isDue = !last || Math.abs(status.at - sampledAt) >= SAMPLE_MS;
    last = status;
    if (isDue) {
      sampledAt = status.at;
      history.push(status.tokensPerSecond);
      if (history.length > HISTORY) history.shift();
      stages.sample(status);
    }
    if (!isPaused) show(status);
  },
  gone(why) {
    document.body.classList.add('stale');
    setText(byId('state'), 'no controller');
    byId('state').className = 'state bad';
    showTrouble(
      last ? `${why}; this is the picture of ${clock(last.at)}. Trying again …` : `${why}. Trying again …`,
    );
  },
  keyWanted(isWrong) {
    byId('main').hidden = true;
    byId('door').hidden = false;
    setText(byId('state'), 'locked');
    showTrouble(isWrong ? 'This key opens nothing here.' : '');
    byId('key').focus();
  },
});

byId('door').addEventListener('submit', (event) => {
  event.preventDefault();
  const input = /** @type {HTMLInputElement} */ (byId('key'));
  const key = input.value.trim();
  input.value = '';
  if (/^[\w.~+/=-]{1,200}$/.test(key)) stream.openWith(key);
  else showTrouble('A key has letters, digits and dashes only.');
});

byId('pause').addEventListener('click', () => {
  isPaused = !isPaused;
  byId('pause').setAttribute('aria-pressed', String(isPaused));
  setText(byId('pause'), isPaused ? 'Resume' : 'Pause');
  if (!isPaused && last) show(last);
});
