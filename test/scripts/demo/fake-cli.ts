// A CLI for the launcher's tests: `agent`, `controller` and `dashboard` as real processes with real sockets, but with
// no model behind them, and with the faults that the tests want. It writes what happens to a journal.
//
// FAKE_JOURNAL: the journal's path. FAKE_FAULTS: JSON, the name of a process to its fault.
import { once } from 'node:events';
import { appendFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { createServer as createTcpServer, type Server } from 'node:net';
import { parseArgs } from 'node:util';
import { WebSocketServer } from 'ws';
import { EspalierError } from '../../../protocol/errors.ts';
import { type ClusterStatus, STATUS_PATH } from '../../../protocol/status.ts';
import { type RunningService, runSupervised } from '../../../scripts/supervised.ts';

/**
 * dies-at-start: ends without a word · fails: reports an error · hangs: does not stop, not even on SIGTERM
 * dies-later: ends by itself once the first question was asked · silent: answers nothing
 */
export type Fault = 'dies-at-start' | 'fails' | 'hangs' | 'dies-later' | 'silent';

const [role = '', ...rest] = process.argv.slice(2);
const { values } = parseArgs({
  args: rest,
  options: {
    name: { type: 'string', default: role },
    cluster: { type: 'string' },
    interface: { type: 'string' },
    host: { type: 'string' },
    port: { type: 'string', default: '0' },
    nodes: { type: 'string', default: '0' },
    model: { type: 'string' },
    agent: { type: 'string', multiple: true, default: [] },
    controller: { type: 'string' },
    engine: { type: 'string' },
  },
});
const faults: Record<string, Fault> = JSON.parse(process.env.FAKE_FAULTS ?? '{}');
const fault = faults[values.name];

function journal(event: string): void {
  appendFileSync(process.env.FAKE_JOURNAL ?? '/dev/null', `${values.name} ${event} ${process.pid}\n`);
}

async function listen(server: Server): Promise<RunningService> {
  server.listen(Number(values.port), '127.0.0.1');
  await once(server, 'listening').catch((error: unknown) => {
    throw new EspalierError('port_taken', `port ${values.port} of 127.0.0.1 is taken`, { cause: error });
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    stop: async () => {
      journal('stopped');
      if (fault === 'hangs') for (;;);
      server.close();
    },
  };
}

/** `dies-later` needs a sign that the cluster is in use: the launcher's first question. */
function dieWhenAsked(asked: boolean): void {
  if (!asked || fault !== 'dies-later') return;
  process.stderr.write('a defect that nobody caught\n');
  process.exit(9);
}

function clusterStatus(polls: number, tokens: number): ClusterStatus {
  const serving = polls > 2 && fault !== 'silent';
  return {
    at: 0,
    espalierVersion: '0.1.0',
    controllerPid: process.pid,
    state: serving ? 'serving' : 'starting',
    reason: serving ? null : 'no stage is linked yet',
    engine: 'node-mlx',
    epoch: 1,
    model: null,
    tokensPerSecond: 0,
    tokensPerSecondMinute: 0,
    timeToFirstTokenMs: null,
    tokensTotal: tokens,
    requestsRunning: 0,
    requestsWaiting: 0,
    requestsCompleted: 0,
    requestsFailed: 0,
    nodes: [],
    stages: values.agent.map((_, index) => ({
      index,
      nodeId: `node-id-${index}`,
      node: `demo-${index + 1}`,
      range: { start: index * 2, end: index * 2 + 2 },
      state: 'linked' as const,
      pid: process.pid,
      residentBytes: 100 * 1024 * 1024,
      weightBytes: 1024 * 1024,
      kvBytes: 0,
      tokensPerSecond: 0,
      decodeTokensPerSecond: 0,
      stepTimeMs: 2.5,
      busyShare: 0,
      hopBytesPerSecond: 0,
      tokensTotal: tokens,
    })),
    requests: [],
    events: [],
  };
}

function answer(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const send = (delta: object, finish_reason: string | null = null) =>
    response.write(`data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason }] })}\n\n`);
  send({ role: 'assistant' });
  send({ reasoning_content: 'Counting the letters one by one.' });
  send({ content: 'There are 3.' });
  send({}, 'stop');
  response.end('data: [DONE]\n\n');
}

function controllerServer(): Server {
  let polls = 0;
  let tokens = 10;
  const server = createServer((request, response) => {
    if (request.url === STATUS_PATH) {
      polls += 1;
      response.end(JSON.stringify(clusterStatus(polls, tokens)));
    } else if (request.url === '/health') {
      response.end('{}');
    } else if (request.url === '/v1/chat/completions') {
      tokens += 40;
      journal('asked');
      answer(response);
      setTimeout(() => dieWhenAsked(true), 100);
    } else {
      response.writeHead(404).end();
    }
  });
  new WebSocketServer({ server, path: STATUS_PATH }).on('connection', (socket) => {
    socket.send(JSON.stringify(clusterStatus(polls, tokens)));
  });
  return server;
}

async function start(): Promise<RunningService> {
  journal(`started with home ${process.env.ESPALIER_HOME} as`);
  if (fault === 'dies-at-start') {
    process.stderr.write('the last line of the log\n');
    process.exit(3);
  }
  if (fault === 'fails') throw new EspalierError('engine_missing', 'node-mlx is not there');
  if (role === 'controller') journal(`given ${rest.join(' ')} as`);
  if (role === 'agent' && fault === 'dies-later') setTimeout(() => process.exit(9), 1_000);
  return await listen(role === 'controller' ? controllerServer() : createTcpServer());
}

if (role === 'dashboard') {
  journal(`shows ${values.controller} as`);
  process.stdout.write('the dashboard has the screen\n');
  process.on('SIGTERM', () => {
    journal('stopped');
    process.exit(0);
  });
  process.on('disconnect', () => process.exit(0));
  process.stdin.on('data', (key) => {
    if (String(key).startsWith('q')) process.exit(0);
  });
} else {
  process.exit(await runSupervised(start));
}
