// `espalier demo`: a controller, agents and a dashboard on this machine, each a process of its own, brought up and
// ended in order. It knows its processes and the public API; what a plan or a stage is, is not its business.
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runLines } from '../../dashboard/lines.ts';
import { asEspalierError, EspalierError, explain } from '../../protocol/errors.ts';
import { enginesDir, espalierHome } from '../../protocol/home.ts';
import type { EngineChoice } from '../../protocol/plan.ts';
import type { Split } from '../../protocol/ranks.ts';
import { SUPERVISED_STOP_MS } from '../../protocol/supervised.ts';
import { ApiError } from '../cli/api-error.ts';
import { type Child, type Service, startService } from './child.ts';
import { startDashboard } from './dashboard-process.ts';
import { endInOrder } from './end-in-order.ts';
import { aborted, listenForEnd } from './ending.ts';
import { Joining } from './join.ts';
import { assertPortFree } from './port.ts';
import { askSampleQuestion } from './sample-question.ts';
import { waitUntilServing } from './wait-until-serving.ts';

export interface DemoOptions {
  /** agents to start, at least 1 */
  nodes: number;
  /** of the local API; 0 lets the system choose */
  port: number;
  /** false: never show it, not even on a terminal */
  dashboard: boolean;
  modelDir: string;
  /** ask the sample question and end */
  once: boolean;
  /** node-mlx by default */
  engine?: EngineChoice;
  split?: Split | undefined;
  /** what holds the state of all processes: ESPALIER_HOME by default */
  home?: string;
  /** the CLI that the processes are started from: this package's own by default */
  cliPath?: string;
}

const LOOPBACK = '127.0.0.1';
const STATUS_LINE_MS = 5_000;
const OWN_CLI = fileURLToPath(new URL('../cli/main.js', import.meta.url));

/** What runs, in the order in which it ends. */
interface Processes {
  dashboard: Child[];
  controller: Service[];
  agents: Service[];
}

interface Demo {
  options: DemoOptions & { cliPath: string };
  /** `demo` below ESPALIER_HOME */
  folder: string;
  /** its name, of this launch alone: two demos on one machine must not take each other's agents */
  cluster: string;
  processes: Processes;
  /** once agents are started */
  joining?: Joining;
  /** aborts when the demo ends, for whichever reason */
  signal: AbortSignal;
}

/**
 * Brings a cluster up, prints `ready URL` on standard output once it answers, and keeps it up until it is told to end
 * by a signal or by the end of the process that started it. Ends all that it started, within two seconds.
 * @returns the exit code: 0 when it was told to end, or with `once` has answered; the dashboard's own when that was
 *   left; 1 when something failed, which is explained on standard error
 */
export async function runDemo(options: DemoOptions): Promise<number> {
  const told = listenForEnd();
  const over = new AbortController();
  const processes: Processes = { dashboard: [], controller: [], agents: [] };
  const demo: Demo = {
    options: { ...options, cliPath: options.cliPath ?? OWN_CLI },
    // a demo on another port is another cluster: its agents and its logs are its own
    folder: join(options.home ?? espalierHome(), 'demo', String(options.port)),
    cluster: `demo-${randomBytes(4).toString('hex')}`,
    processes,
    signal: AbortSignal.any([told.signal, over.signal]),
  };
  let complaint: string | undefined;
  try {
    return await Promise.race([live(demo), aborted(told.signal).then(() => 0)]);
  } catch (error) {
    if (told.signal.aborted) return 0;
    complaint = error instanceof ApiError ? error.message : explain(asEspalierError(error));
    return 1;
  } finally {
    over.abort();
    await endInOrder([processes.dashboard, processes.controller, processes.agents], SUPERVISED_STOP_MS);
    demo.joining?.end();
    told.release();
    if (processes.dashboard.length > 0) restoreTerminal();
    // only now: while the dashboard has the screen, nobody would see it
    if (complaint !== undefined) note(complaint);
  }
}

async function live(demo: Demo): Promise<number> {
  const agents = await startAgents(demo);
  const controller = await startController(demo, agents);
  const { url } = controller;
  // nothing goes on without the controller
  const controllerLost = controller.service.ended.then((error) => Promise.reject(error));
  controllerLost.catch(() => undefined);
  return await Promise.race([serve(demo, url), controllerLost]);
}

async function serve(demo: Demo, url: string): Promise<number> {
  const { options, processes, signal } = demo;
  await waitUntilServing(url, { signal, onReason: (reason) => note(reason) });
  process.stdout.write(`ready ${url}\n`);

  const onTerminal = process.stdin.isTTY && process.stdout.isTTY;
  if (onTerminal && options.dashboard && !options.once) return await showDashboard(demo, url);

  reportLostAgents(processes.agents, signal, note);
  try {
    await askSampleQuestion(url, process.stdout, signal);
  } catch (error) {
    if (options.once || signal.aborted) throw error;
    note(error instanceof ApiError ? error.message : explain(asEspalierError(error)));
  }
  if (!options.once) {
    const print = (line: string) => void process.stdout.write(`${line}\n`);
    await runLines({
      controllerUrl: url,
      json: false,
      intervalMs: STATUS_LINE_MS,
      signal,
      print,
      complain: note,
    });
  }
  return 0;
}

/** Runs the dashboard until it is left. Meanwhile the terminal is its own: what is to be told waits. */
async function showDashboard({ options, processes, signal }: Demo, url: string): Promise<number> {
  const held: string[] = [];
  reportLostAgents(processes.agents, signal, (line) => held.push(line));
  const dashboard = startDashboard(options.cliPath, url);
  processes.dashboard.push(dashboard);
  const result = await dashboard.ended;
  if (signal.aborted) return 0;
  for (const line of held) note(line);
  if (result instanceof EspalierError) throw result;
  return result;
}

async function startAgents(demo: Demo): Promise<Service[]> {
  const { options, folder, cluster, processes, signal } = demo;
  if (!Number.isInteger(options.nodes) || options.nodes < 1) {
    throw new EspalierError('bad_option', `--nodes is ${options.nodes}: it takes a whole number from 1 on`);
  }
  await assertPortFree(LOOPBACK, options.port);
  const logs = prepareFolder(join(folder, 'logs'));
  const joining = await Joining.open(join(folder, 'controller'));
  demo.joining = joining;
  for (let number = 1; number <= options.nodes; number += 1) {
    const name = `agent-${number}`;
    const home = join(folder, name);
    const { args, env } = await joining.arguments(home);
    // what was told to end meanwhile starts nothing more
    signal.throwIfAborted();
    const agent = startService({
      name,
      cliPath: options.cliPath,
      args: [
        'agent',
        '--name',
        `demo-${number}`,
        '--cluster',
        cluster,
        '--interface',
        LOOPBACK,
        '--port',
        '0',
        '--host',
        LOOPBACK,
        ...args,
      ],
      // one for all agents: they are on one machine, and it is a third of a gigabyte
      env: { ...env, ESPALIER_ENGINES: enginesDir() },
      home,
      logPath: join(logs, `${name}.log`),
    });
    processes.agents.push(agent);
  }
  note(`${options.nodes} agents and a controller are starting; their logs are in ${logs}`);
  return processes.agents;
}

async function startController(
  { options, folder, cluster, processes, signal }: Demo,
  agents: readonly Service[],
): Promise<{ service: Service; url: string }> {
  const listening = await Promise.all(agents.map((agent) => agent.listening));
  signal.throwIfAborted();
  const service = startService({
    name: 'controller',
    cliPath: options.cliPath,
    args: [
      'controller',
      ...['--host', LOOPBACK, '--port', String(options.port)],
      ...['--nodes', String(options.nodes), '--model', resolve(options.modelDir)],
      ...['--cluster', cluster, '--interface', LOOPBACK],
      ...['--engine', options.engine ?? 'node-mlx', ...(options.split ? ['--split', options.split] : [])],
      // for a machine where multicast does not work, not even to itself
      ...listening.flatMap(({ port }) => ['--agent', `${LOOPBACK}:${port}`]),
    ],
    home: join(folder, 'controller'),
    logPath: join(folder, 'logs', 'controller.log'),
  });
  processes.controller.push(service);
  const { port } = await service.listening;
  return { service, url: `http://${LOOPBACK}:${port}` };
}

/** Says so in one line when an agent ends by itself; whether the cluster goes on is the controller's business. */
function reportLostAgents(
  agents: readonly Service[],
  signal: AbortSignal,
  tell: (line: string) => void,
): void {
  for (const agent of agents) {
    void agent.ended.then((error) => {
      if (!signal.aborted) tell(error.message.replaceAll(/\s*\n\s*/g, ' · '));
    });
  }
}

function prepareFolder(path: string): string {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    return path;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new EspalierError('home_not_writable', `the folder ${path} cannot be made: ${reason}`);
  }
}

/** Leaves the alternate screen and shows the cursor, for a dashboard that was killed before it could. */
function restoreTerminal(): void {
  if (process.stdout.isTTY) process.stdout.write('\x1b[?1049l\x1b[?25h');
}

function note(line: string): void {
  process.stderr.write(`espalier demo: ${line}\n`);
}
