// Everything that the wizard lets be done: asks this machine and the controller's API, and starts what has to run.
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { proposedChanges } from '../../agent/checks/changes/proposals.ts';
import { readMac } from '../../agent/checks/changes/read-mac.ts';
import { gatherFacts } from '../../agent/facts/gather.ts';
import { shownCode } from '../../agent/trust/code.ts';
import { ControllerPin } from '../../agent/trust/controller-pin.ts';
import { fetchStatus } from '../../dashboard/client.ts';
import { formatBytes } from '../../dashboard/format.ts';
import type { SetupActions } from '../../dashboard/setup/actions.ts';
import { AUTHORITY_FILE, Authority } from '../../protocol/authority.ts';
import { EspalierError } from '../../protocol/errors.ts';
import { loadIdentity } from '../../protocol/identity.ts';
import { streamChat } from '../cli/chat/stream.ts';
import { fetchLinks } from '../cli/links/fetch-links.ts';
import { DEFAULT_CONTROLLER_URL } from '../cli/options.ts';
import { fetchPairing, findWaiting, pairNode } from '../cli/pairing/ask-pairing.ts';
import { fetchPlan } from '../cli/plan/fetch-plan.ts';
import { planText } from '../cli/plan/plan-text.ts';
import { waitUntilServing } from '../demo/wait-until-serving.ts';
import { lastWords } from '../service/last-words.ts';
import { type ServiceTools, systemHow } from '../service/services.ts';
import { applyChange, commandsOf } from '../system-changes/change-system.ts';
import { modelActions } from './model-actions.ts';
import type { OwnProcesses } from './own-processes.ts';

/** A controller that was just started answers when Node and its model's tokenizer are loaded. */
const CONTROLLER_TIMEOUT_MS = 60_000;
const AGENT_TIMEOUT_MS = 10_000;
const POLL_MS = 250;
/** It is between two starts, or gone for good. */
const MAX_MISSED = 20;
/** An agent that was just started has met its controller. */
const OWN_SEARCH_MS = 30_000;
/** The narrowest table of a plan. */
const PLAN_COLUMNS = 78;

export interface ActionOptions {
  tools: ServiceTools;
  processes: OwnProcesses;
  /** the name that this machine has among the nodes */
  name: string | undefined;
}

export function setupActions({ tools, processes, name }: ActionOptions): SetupActions {
  const { home, platform, canAsk } = tools;
  const url = () => ownController(home) ?? DEFAULT_CONTROLLER_URL;
  const status = () => fetchStatus(url());
  const facts = once(() => gatherFacts());
  const columns = () => Math.max(PLAN_COLUMNS, process.stdout.columns ?? 0);
  return {
    async machine() {
      const { modelName, chip, memoryBytes, os } = await facts();
      const system = [os.name, os.version, os.build === null ? null : `(${os.build})`];
      const parts = [modelName, chip, formatBytes(memoryBytes), system.filter(Boolean).join(' ')];
      return {
        name: name ?? hostname().replace(/\..*$/, ''),
        text: parts.filter(Boolean).join(', '),
        isMac: platform === 'darwin',
        systemHow: systemHow(platform),
      };
    },
    running: () => processes.running(),
    serviceChanges: (role) => processes.changes(role),
    async startServices(role, how) {
      await processes.start(role, how);
      if (role === 'controller') await untilAnswers(home, processes);
      else await untilReady(home);
    },
    code: async () => shownCode(home),
    pairedWith: async () => ControllerPin.open(home).pin?.name,
    pairing: () => fetchPairing(url()),
    async pair(node, code) {
      await pairNode(url(), node, code);
    },
    async pairOwn() {
      const { id } = await loadIdentity(home, 'agent');
      if ((await fetchPairing(url())).paired.some((node) => node.id === id)) return false;
      await findWaiting(url(), id, OWN_SEARCH_MS);
      const code = shownCode(home);
      if (code === undefined) {
        const other = ControllerPin.open(home).pin?.name;
        throw other === undefined
          ? new EspalierError('not_paired', 'the agent of this machine shows no code')
          : new EspalierError('paired_elsewhere', `the agent of this machine is paired with ${other}`);
      }
      await pairNode(url(), id, code);
      return true;
    },
    status,
    links: () => fetchLinks(url()),
    async proposals() {
      if (platform !== 'darwin') return [];
      const [now, facts] = await Promise.all([readMac(), gatherFacts()]);
      const changes = proposedChanges({ facts, ...now, home, nodePath: process.execPath });
      return changes.map((change) => ({ change, commands: commandsOf(change, canAsk) }));
    },
    apply: (change) => applyChange(change, tools),
    ...modelActions(home, url, columns),
    untilServing: (tell, signal) => waitUntilServing(url(), { signal, onReason: tell }),
    plan: async () => planText(await fetchPlan(url()), columns()),
    async ask(question, tell, signal) {
      const messages = [{ role: 'user' as const, content: question }];
      for await (const piece of streamChat(url(), { messages }, signal)) {
        if (piece.kind !== 'end') tell(piece);
      }
    },
    async endpoint() {
      const at = url();
      const where = at === DEFAULT_CONTROLLER_URL ? '' : ` --controller ${at}`;
      return {
        url: at,
        next: [
          { command: `espalier chat${where}`, what: 'a conversation here' },
          { command: `espalier dashboard${where}`, what: 'what each node does, live' },
          { command: `espalier connect open-webui${where}`, what: 'a web page to chat in' },
          {
            command: `espalier connect claude-code${where}`,
            what: 'and Codex, Zed, Continue, Home Assistant, …',
          },
          { command: 'espalier service status', what: 'what runs on this machine' },
        ],
      };
    },
  };
}

/** The API of the controller that runs with this home; undefined where none does. */
function ownController(home: string): string | undefined {
  try {
    return new URL(Authority.parse(JSON.parse(readFileSync(join(home, AUTHORITY_FILE), 'utf8'))).url).origin;
  } catch {
    return undefined;
  }
}

/**
 * Waits for the controller of this home: at its usual address another one may answer.
 * @throws EspalierError service_failed with its last words when it ends, or does not answer in time
 */
async function untilAnswers(home: string, processes: OwnProcesses): Promise<void> {
  const deadline = performance.now() + CONTROLLER_TIMEOUT_MS;
  for (let missed = 0; missed < MAX_MISSED && performance.now() < deadline; await sleep(POLL_MS)) {
    const isThere = (await processes.running()).controller !== null;
    missed = isThere ? 0 : missed + 1;
    const url = ownController(home);
    const answers = url !== undefined && (await fetchStatus(url).catch(() => undefined));
    if (isThere && answers) return;
  }
  throw new EspalierError(
    'service_failed',
    `the controller does not answer: ${await lastWords(home, 'controller')}`,
  );
}

/** An agent that was just started has its code within a moment; a step shows what there is. */
async function untilReady(home: string): Promise<void> {
  const deadline = performance.now() + AGENT_TIMEOUT_MS;
  while (shownCode(home) === undefined && ControllerPin.open(home).pin === undefined) {
    if (performance.now() > deadline) return;
    await sleep(POLL_MS);
  }
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
