// The agent: one per node. Advertises itself, answers a controller, and keeps the stage that it is given. It never runs
// model math in its own process.
import { join } from 'node:path';
import { lockHome } from '../protocol/home-lock.ts';
import { loadIdentity } from '../protocol/identity.ts';
import type { JoinToken } from '../protocol/join-token.ts';
import { createLog } from '../protocol/log.ts';
import { advertise } from './advertise.ts';
import { SelfCheck } from './checks/self-check.ts';

import { ControlServer, type DraftCommand, type StageCommand } from './control-server.ts';
import { DraftHost } from './draft-host.ts';
import { nodeFacts } from './facts/machine.ts';
import { FactsWatch } from './facts/watch.ts';
import { EngineHost } from './mlx-distributed/engine-host.ts';
import { endOrphans } from './mlx-distributed/orphans.ts';
import { isOffered } from './probe/listener.ts';
import { ProbeHost } from './probe/probe-host.ts';
import { scratchBase, sweepScratchDirs } from './stage/scratch.ts';
import { StageHost } from './stage-host.ts';
import type { FetchTimes } from './store/fetch-blob.ts';
import { hubSettings } from './store/hub-settings.ts';
import { StoreHost } from './store/store-host.ts';
import { Membership } from './trust/membership.ts';

export interface AgentOptions {
  /** shown to people; the host's name when undefined */
  name?: string | undefined;
  /** the most that weights and KV may take; undefined: as much as there is */
  memoryLimitBytes?: number | undefined;
  /** where the control connection and the hops listen */
  host: string;
  /** 0 for any free one */
  port: number;
  /** the IPv4 address of the only interface to advertise on; undefined for all */
  bonjourInterface?: string | undefined;
  /** the cluster that this node belongs to */
  cluster: string;
  /** ESPALIER_HOME */
  home: string;
  /** a join token: the controller that made it pairs with this agent by itself */
  token?: JoinToken | undefined;
  /** forgets the controller that it is paired with, if any */
  forget?: boolean | undefined;
  /** the Hugging Face cache that holds this node's models; the environment's when left out */
  storeDir?: string | undefined;
  /** patience with sources of model files */
  fetchTimes?: FetchTimes | undefined;
  /** what model files leave free on their disk */
  diskReserveBytes?: number | undefined;
  /** where engines are installed: `engines` below ESPALIER_HOME by default */
  enginesDir?: string | undefined;
  /** what stage workers run: benches give them other sources of guesses; the usual program when undefined */
  workerProgram?: string | undefined;
}

export interface RunningAgent {
  port: number;
  stop(): Promise<void>;
}

/** @throws EspalierError port_taken, bad_option, home_in_use, home_not_writable, home_damaged, paired_elsewhere */
export async function startAgent(options: AgentOptions): Promise<RunningAgent> {
  const log = createLog('agent');
  lockHome(options.home, 'agent');
  const identity = await loadIdentity(options.home, 'agent');
  const { id } = identity;
  const node = nodeFacts(id, options);
  endOrphans(scratchBase());
  sweepScratchDirs();
  const { home, token, forget } = options;
  const trust = Membership.open({ home, identity, name: node.name, token, forget, log });
  const enginesDir = options.enginesDir ?? join(home, 'engines');
  const rankHome = { enginesDir, node: node.name };
  const { workerProgram } = options;
  const stages = new StageHost(
    identity,
    rankHome,
    log,
    (event) => control.send(event),
    undefined,
    workerProgram,
  );
  const drafts = new DraftHost(identity, rankHome, log, (event) => control.send(event));
  const engine = new EngineHost(enginesDir, log, (state) => control.send({ kind: 'engine', engine: state }));
  let machine: FactsWatch | undefined;
  const probes = new ProbeHost(options.host, identity, log, (event) => control.send(event));
  const selfCheck = new SelfCheck(
    { id, name: node.name, home },
    () => machine?.facts,
    (check) => control.send({ kind: 'check', check }),
  );
  const store = new StoreHost({
    settings: hubSettings(process.env, options.storeDir),
    credentials: identity,
    log,
    tell: (event) => control.send(event),
    times: options.fetchTimes,
    reserveBytes: options.diskReserveBytes,
  });
  const control: ControlServer = new ControlServer(node, options.cluster, identity, trust, log, {
    onCommand: (command, localHost) =>
      stages.handle(placed(command, store), hopHost(command, options.host, localHost)),
    onDraft: (command, localHost) => {
      if (command.kind === 'draft-link') stages.linkDraft(command.epoch, command.link);
      else drafts.handle(command, hopHost(command, options.host, localHost));
    },
    onStore: (command) => store.handle(command),
    onProbe: (command) => probes.handle(command),
    onCheck: () => selfCheck.run(),
    onConnect: () => {
      stages.controllerCame();
      drafts.controllerCame();
    },
    onDisconnect: () => {
      probes.stop();
      store.stop();
      stages.controllerGone();
      drafts.controllerGone();
    },
    stage: () => stages.held,
    draft: () => drafts.held,
    onInstallEngine: () => void engine.install(),
    facts: () => machine?.facts,
    files: store,
    engine: () => engine.state,
  });
  await engine.look();
  const port = await control.listen(options.host, options.port).catch((error) => {
    trust.close();
    throw error;
  });
  machine = new FactsWatch(
    {
      onFacts: (facts) => control.send({ kind: 'facts', facts }),
      onLoad: (load) => control.send({ kind: 'load', load }),
      isHeard: () => control.hasController,
    },
    log,
    { measuredGpuLimitBytes: () => stages.gpuLimitBytes },
  );
  const onlyLoopback = options.host === '127.0.0.1' || options.host === 'localhost';
  const chosen = options.bonjourInterface ?? (onlyLoopback ? '127.0.0.1' : undefined);
  const advertisement = advertise(node, options.cluster, port, trust.isPaired, chosen, log);
  trust.onChange((isPaired) => {
    if (!isPaired) {
      // what a controller began that is not obeyed any more ends at once
      control.dismiss();
      probes.stop();
      store.stop();
      void stages.stop();
      void drafts.stop();
    }
    advertisement.update(isPaired);
  });
  log.info({ id, host: options.host, port }, `agent ${node.name} is up`);
  return {
    port,
    async stop() {
      trust.close();
      control.close();
      probes.stop();
      store.stop();
      await Promise.all([stages.stop(), drafts.stop(), advertisement.stop(), machine?.stop()]);
    },
  };
}

/** A stage of a stored model reads it where this node's store has it. */
function placed(command: StageCommand, store: StoreHost): StageCommand {
  if (command.kind !== 'deploy' || !command.stored) return command;
  return { ...command, spec: { ...command.spec, modelDir: store.folderOf(command.stored) } };
}

/** Where a stage listens for its hop: where the plan wants it, as far as --host lets it; else where the controller came. */
function hopHost(command: StageCommand | DraftCommand, host: string, localHost: string): string {
  const wanted = 'hopHost' in command ? command.hopHost : undefined;
  return wanted !== undefined && isOffered(host, wanted) ? wanted : localHost;
}
