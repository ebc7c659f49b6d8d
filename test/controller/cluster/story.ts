// A cluster's heart told as a story: events in, effects out as lines, on a clock of our own.
import assert from 'node:assert/strict';
import { advance } from '../../../controller/cluster/advance.ts';
import {
  type Cluster,
  type ClusterInput,
  type ClusterOptions,
  clusterState,
  type Effect,
  newCluster,
} from '../../../controller/cluster/state.ts';
import type { HopPath } from '../../../controller/links/hop-path.ts';
import type { ModelCard } from '../../../protocol/plan.ts';
import type { HeldStage } from '../../../protocol/stage.ts';
import { cardWith } from '../planner/support.ts';

export const GIB = 2 ** 30;
export const FINGERPRINT = 'f1';

export class Story {
  readonly cluster: Cluster;
  now = 0;
  /** where agents were asked to listen; the others listen at their names */
  readonly listens = new Map<string, string>();
  /** everything that was told to people */
  readonly told: string[] = [];

  constructor(options: Partial<ClusterOptions> = {}) {
    const card: ModelCard = cardWith({ layerBytes: new Array(12).fill(GIB / 10) });
    this.cluster = newCluster({ card, modelFingerprint: FINGERPRINT, ...options });
  }

  tell(input: ClusterInput): string[] {
    const lines: string[] = [];
    for (const effect of advance(this.cluster, input, this.now)) {
      if (effect.kind === 'event') this.told.push(effect.text);
      else lines.push(line(effect));
    }
    return lines;
  }

  wait(ms: number): string[] {
    this.now += ms;
    return this.tell({ kind: 'tick' });
  }

  join(
    name: string,
    {
      bootId = 'boot-1',
      memoryBytes = 16 * GIB,
      held = null,
    }: { bootId?: string; memoryBytes?: number; held?: HeldStage | null } = {},
  ): string[] {
    const facts = {
      ...{ id: `id-${name}`, name, bootId, pid: 1, platform: 'linux', arch: 'x64', chip: 'c', cores: 2 },
      ...{ memoryBytes, espalierVersion: '0' },
    };
    const node = { facts, address: { host: 'h', port: 1 }, foundBy: 'bonjour', connected: true } as const;
    return this.tell({ kind: 'node-connected', node, held });
  }

  lose(name: string, isSilent = true): string[] {
    return this.tell({ kind: 'node-lost', nodeId: `id-${name}`, reason: 'silent', isSilent });
  }

  /** @param has what the stage did not have to read, and the epoch of the KV that it still has */
  loaded(name: string, has: { readLayers?: number; kvEpoch?: number | null; epoch?: number } = {}): string[] {
    const { readLayers = 4, kvEpoch = null, epoch = this.cluster.epoch } = has;
    const hop = { host: this.listens.get(name) ?? name, port: 9 };
    const about = { nodeId: `id-${name}`, epoch, hop, pid: 5, weightBytes: 4, readLayers, kvEpoch };
    return this.tell({ kind: 'stage-loaded', ...about });
  }

  /** @param ways `a b cable`: from a to b by an interface that is called so */
  links(ways: readonly string[], isPending = false): string[] {
    return this.tell({ kind: 'links', paths: ways.map(hopPath), isPending });
  }

  linked(name: string, epoch = this.cluster.epoch): string[] {
    return this.tell({ kind: 'stage-linked', nodeId: `id-${name}`, epoch });
  }

  unlinked(name: string, hop: 'before' | 'after', reason: string): string[] {
    const { epoch } = this.cluster;
    return this.tell({ kind: 'stage-unlinked', nodeId: `id-${name}`, epoch, hop, reason });
  }

  fail(name: string, epoch = this.cluster.epoch): string[] {
    const about = { nodeId: `id-${name}`, epoch, code: 'stage_lost', message: 'it crashed' };
    return this.tell({ kind: 'stage-failed', ...about });
  }

  requests(count: number): string[] {
    return this.tell({ kind: 'requests', count });
  }

  /** All of them load and link. */
  bringUp(...names: string[]): string[] {
    for (const name of names) this.loaded(name);
    const lines = names.flatMap((name) => this.linked(name));
    assert.equal(clusterState(this.cluster), 'serving');
    return lines;
  }

  serve(...names: string[]): void {
    for (const name of names) this.join(name);
    this.bringUp(...names);
  }

  /** What a node tells of the stage that it has in the present deployment. */
  held(name: string): HeldStage {
    const held = this.cluster.held.get(`id-${name}`);
    assert.ok(held);
    return held;
  }
}

export function hopPath(text: string): HopPath {
  const [from = '', to = '', name = ''] = text.split(' ');
  const gbps = { cable: 16, slow: 0.01 }[name] ?? 1;
  return {
    ...{ from: `id-${from}`, to: `id-${to}`, kind: 'ethernet', fromInterface: name, toInterface: name },
    ...{
      localAddress: `${from}-${name}`,
      dialAddress: `${to}-${name}%${from}`,
      listenAddress: `${to}-${name}`,
    },
    figures: {
      ...{ rttP50Us: 300, rttP99Us: 400, smallRttP50Us: 200, smallRttP99Us: 300 },
      ...{ gbps, carriedBy: name, kind: 'ethernet' },
    },
  };
}

function line(effect: Effect): string {
  switch (effect.kind) {
    case 'deploy':
      return `deploy ${effect.epoch}: ${effect.plan.stages.map(({ nodeId, range }) => `${nodeId} ${range.start}-${range.end}`).join(', ')}`;
    case 'link': {
      const from = effect.from ? ` from ${effect.from}` : '';
      return `link ${effect.nodeId} to ${effect.next.host}${from}${effect.keepsKv ? ' with its KV' : ''}`;
    }
    case 'leave':
    case 'undeploy':
      return `${effect.kind} ${effect.epoch} on ${effect.nodeId}`;
    case 'incident':
      return `incident ${effect.report.number}`;
    case 'incident-over':
      return `incident ${effect.outcome.numbers.join(' and ')} over: ${effect.outcome.outcome}`;
    case 'draft-deploy':
      return `draft ${effect.epoch} on ${effect.nodeId}${effect.hopHost ? ` at ${effect.hopHost}` : ''}`;
    case 'draft-end':
      return `no draft on ${effect.nodeId}`;
    case 'draft-link':
      return `link ${effect.nodeId} to draft ${effect.epoch} at ${effect.next.host}${effect.from ? ` from ${effect.from}` : ''}`;
    case 'save':
      return `save ${effect.deployment.epoch}`;
    case 'fail-requests':
      return `fail-requests ${effect.code}`;
    default:
      return effect.kind;
  }
}
