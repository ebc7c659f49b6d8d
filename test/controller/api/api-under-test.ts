// A real API on a free port, with the demo model's text side and a scripted cluster behind it.
import { connect, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import pino from 'pino';
import { listedModel } from '../../../controller/api/models.ts';
import { type Api, type ApiOptions, createApi } from '../../../controller/api/server.ts';
import type { SamplingPins } from '../../../controller/chat-admission.ts';
import type { ModelFacts } from '../../../controller/models/listed.ts';
import type { TextModel } from '../../../controller/text-model.ts';
import { makeTrace } from '../../../controller/trace/trace.ts';
import { EspalierError } from '../../../protocol/errors.ts';
import type { Incident } from '../../../protocol/incidents.ts';
import type { LinksReport } from '../../../protocol/links.ts';
import type { HostPort } from '../../../protocol/node.ts';
import type { ClusterState, ClusterStatus } from '../../../protocol/status.ts';
import { type ReferenceCase, referenceCases } from '../../support/reference.ts';
import { paperReport } from '../planner/support.ts';
import { ScriptedSource } from '../scripted-source.ts';
import { demoTextModel } from '../support.ts';
import { ring } from '../trace/ring.ts';

/** What it says went wrong. */
export const SAMPLE_INCIDENT: Incident = {
  number: 7,
  at: Date.UTC(2026, 10, 22, 12),
  node: 'studio-2',
  code: 'stage_lost',
  seen: 'studio-2 is lost: silent for 3.5 s',
  fix: 'Look at the agent on studio-2; it is used again when it is back.',
  requests: 2,
  outcome: 'serving',
  done: 'serving r1: layers studio-1 0–5 → studio-3 6–11; 3 layers were read from the disk',
  pause: { planMs: 20, loadMs: 900, linkMs: 40, replayMs: 140 },
};

/** What it says of its model folder. */
const DEMO_FACTS: ModelFacts = {
  id: 'demo-model',
  architecture: 'deepseek_v3',
  quantization: '4-bit',
  parameters: 8_300_000,
  sizeBytes: 4_800_000,
  digest: 'd'.repeat(64),
  modifiedAt: Date.UTC(2026, 0, 2),
};

/** What its stages tell of their last 300 steps. */
const TRACED = ring({ computeUs: [900, 500, 700], linkUs: [60, 60, 60], steps: 300 });

/** The plan that it says is in force. */
const onPaper = paperReport('3x M2 Ultra 192GB, thunderbolt ring', 'deepseek-r1-4bit');

export interface ApiUnderTest {
  api: Api;
  at: HostPort;
  url: string;
  source: ScriptedSource;
  setState(state: ClusterState, reason: string | null): void;
  /** another status altogether */
  setStatus(status: ClusterStatus): void;
  /** fills the status' events, to make it large */
  setEvents(events: ClusterStatus['events']): void;
  post(body: unknown, headers?: Record<string, string>, path?: string): Promise<Response>;
  /** posts and reads the JSON that comes back, in the shape that the test expects */
  ask<T>(body: unknown): Promise<T>;
}

export async function startApi(
  t: TestContext,
  {
    model: textModel = demoTextModel,
    maxSessions = 64,
    pins,
    ...options
  }: ApiOptions & { model?: Promise<TextModel>; maxSessions?: number; pins?: SamplingPins } = {},
  where: { host: string; port: number } = { host: '127.0.0.1', port: 0 },
): Promise<ApiUnderTest> {
  const model = await textModel;
  const source = new ScriptedSource();
  const listed = listedModel(DEMO_FACTS, model);
  let status = idleStatus(model.id);
  let links = measuredLinks(1);
  const api = await createApi(
    {
      source,
      textModel: () => model,
      models: () => [listed],
      maxSessions,
      pins,
      status: () => status,
      history: () => ({ at: 1_000, stepMs: 1_000, tokensPerSecond: [null, 4.5], nodes: [] }),
      operate: {
        drain: (nodeId, now) => ({ text: `drain ${nodeId}${now ? ' now' : ''}` }),
        undrain: (nodeId) => ({ text: `undrain ${nodeId}` }),
        cancel: (requestId) => ({ text: `cancel ${requestId}` }),
      },
      trace: async (steps) => {
        if (status.state !== 'serving') throw new EspalierError('not_ready', `it is ${status.state}`);
        return makeTrace({ engine: 'node-mlx', model: model.id, epoch: 1 }, TRACED, steps);
      },
      plan: async () => {
        if (status.state !== 'serving') throw new EspalierError('not_ready', `it is ${status.state}`);
        return onPaper;
      },
      incidents: () => ({ incidents: [SAMPLE_INCIDENT] }),
      doctor: async () => ({
        at: 0,
        espalierVersion: '0.1.0',
        nodeVersion: '26.0.0',
        protocol: 5,
        nodes: [],
        findings: [],
      }),
      pairing: () => ({ waiting: [], paired: [] }),
      pair: async (node) => ({ node: { id: '0123456789abcdef', name: node } }),
      unpair: (node) => ({ node: { id: '0123456789abcdef', name: node } }),
      links: () => links,
      measureLinks: () => {
        links = measuredLinks(Date.now());
        return links;
      },
      log: pino({ level: 'silent' }),
    },
    // no test of a cluster that does not serve waits for it
    { holdMs: 0, ...options },
  );
  t.after(() => api.close());
  const { url, ...at } = await api.listen(where);
  const post: ApiUnderTest['post'] = (body, headers = {}, path = '/v1/chat/completions') =>
    fetch(url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  return {
    api,
    at,
    url,
    source,
    setState: (state, reason) => {
      status = { ...status, state, reason };
    },
    setStatus: (next) => {
      status = next;
    },
    setEvents: (events) => {
      status = { ...status, events };
    },
    post,
    ask: async <T>(body: unknown) => (await (await post(body)).json()) as T,
  };
}

/** A whole answer as it comes over the wire. */
export interface Answer {
  choices: [{ message: { content: string; reasoning_content: string | null }; finish_reason: string }];
  usage: { prompt_tokens: number; completion_tokens: number; total_tokens: number };
}

export interface Failure {
  error: { message: string; type: string; param: string | null; code: string };
}

/** A reference case with reasoning, an answer and two turns. */
export const sum = referenceCases.find(({ text }) => text.endsWith('**688**')) as ReferenceCase;
export const SUM_REASONING = sum.text.split('\n</think>')[0] ?? '';
export const SUM_ANSWER = '616 + 72 = **688**';

/** A connection that does nothing by itself. */
export async function rawConnection(t: TestContext, { host, port }: HostPort): Promise<Socket> {
  const socket = connect({ host, port });
  t.after(() => socket.destroy());
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  return socket;
}

/** Reads until the text is complete in the caller's eyes, or the connection ends. */
export async function readUntil(socket: Socket, isComplete: (text: string) => boolean): Promise<string> {
  let text = '';
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    text += String(chunk);
    if (isComplete(text)) break;
  }
  return text;
}

/** Gives other work turns until something holds, and fails when it never does. */
export async function until(holds: () => boolean): Promise<void> {
  for (let turn = 0; !holds(); turn++) {
    if (turn === 4_000) throw new Error(`it never came to hold that ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function measuredLinks(measuredAt: number): LinksReport {
  const figures = {
    ...{ rttP50Us: 300, rttP99Us: 900, smallRttP50Us: 200, smallRttP99Us: 800 },
    ...{ gbps: 0.94, carriedBy: 'en0', kind: 'ethernet' as const },
  };
  const end = (last: number) => ({
    ...{ address: `192.168.1.${last}`, interface: 'en0', kind: 'ethernet' as const },
  });
  const paths = [{ from: end(1), to: end(2), there: figures, back: figures, measuredAt }];
  const [a, b] = [1, 2].map((n) => ({ id: `id-${n}`, name: `studio-${n}` })) as [Named, Named];
  const pair = { a, b, isSameMachine: false, measuredAt, failure: null, paths, misses: [] };
  return { at: measuredAt, measuring: null, waiting: 0, blocked: null, pairs: [pair], findings: [] };
}

type Named = { id: string; name: string };

function idleStatus(modelId: string): ClusterStatus {
  return {
    at: 0,
    espalierVersion: '0.0.0',
    controllerPid: process.pid,
    state: 'serving',
    reason: null,
    engine: 'node-mlx',
    epoch: 1,
    model: {
      id: modelId,
      architecture: 'deepseek_v3',
      layerCount: 12,
      quantization: '4-bit',
      contextTokens: 163_840,
    },
    tokensPerSecond: 0,
    tokensPerSecondMinute: 0,
    timeToFirstTokenMs: null,
    tokensTotal: 0,
    requestsRunning: 0,
    requestsWaiting: 0,
    requestsCompleted: 0,
    requestsFailed: 0,
    nodes: [],
    stages: [],
    requests: [],
    events: [],
  };
}
