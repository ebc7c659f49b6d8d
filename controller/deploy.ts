// Carries out the cluster's decisions on the nodes: turns a plan into what each stage needs to know, and knows where
// the head of the present deployment is.
import { randomBytes } from 'node:crypto';
import type { GenerateRequest } from '../protocol/generate.ts';
import type { Fingerprint } from '../protocol/identity.ts';
import { MAX_SESSIONS } from '../protocol/limits.ts';
import type { ModelRef } from '../protocol/models.ts';
import type { HostPort } from '../protocol/node.ts';
import { headStage, type ModelCard, type Plan } from '../protocol/plan.ts';
import type { RankLaunch } from '../protocol/ranks.ts';
import type { SpeculationSpec } from '../protocol/speculation.ts';
import type { Effect } from './cluster/state.ts';
import { rankPlace } from './mlx-distributed/ranks.ts';
import type { PlanOfFiles } from './models/needs.ts';
import type { Nodes } from './nodes.ts';

/** Tokens of one prefill chunk, where a prompt is alone: shorter ones unpack each expert for too few tokens. */
const PREFILL_CHUNK_TOKENS = 512;
/** Bytes of an attention score: stages on the CPU compute in float32; on Metal it is half of this. */
const SCORE_BYTES = 4;

export interface ModelPlace {
  /** where every node has it; of a stored model each node knows its own folder */
  dir: string;
  fingerprint: string;
  /** what its first stage guesses with */
  speculation: SpeculationSpec;
  /** of the nodes' stores */
  stored?: {
    ref: ModelRef;
    /** resolves when the nodes of a plan hold their files; @throws EspalierError */
    ensure(plan: PlanOfFiles): Promise<void>;
  };
}

export interface DeployListener {
  /** whether the deployment is still the present one */
  isWanted(): boolean;
  onFetching(): void;
  /** the files are there, and the stages are told to load */
  onFetched(): void;
}

interface HopOrder {
  epoch: number;
  next: HostPort;
  from: string | undefined;
  keepsKv: boolean;
  ranks?: RankLaunch | undefined;
}

/** As the cluster's effects say it. */
type DraftOrder = Omit<Effect & { kind: 'draft-deploy' }, 'kind'>;
type DraftLinkOrder = Omit<Effect & { kind: 'draft-link' }, 'kind'>;

export class Deployer {
  readonly maxSessions = MAX_SESSIONS;
  readonly #nodes: Nodes;
  #card: ModelCard;
  #model: ModelPlace;
  /** `others`: of MLX Distributed, the nodes whose ranks sleep while nobody asks anything */
  #head: { epoch: number; nodeId: string; others: readonly string[]; requests: number } | undefined;

  /** the draft that was deployed last, and who may speak to it */
  #draft: { epoch: number; peer: Fingerprint; token: string } | undefined;

  constructor(nodes: Nodes, card: ModelCard, model: ModelPlace) {
    this.#nodes = nodes;
    this.#card = card;
    this.#model = model;
  }

  /** From now on another model is deployed. */
  use(card: ModelCard, model: ModelPlace): void {
    this.#card = card;
    this.#model = model;
    this.#head = undefined;
  }

  /**
   * Of a stored model, its files come first, for as long as that takes.
   * @param hopHosts where each stage listens; undefined leaves it to its agent
   * @throws EspalierError where the files cannot be brought to their nodes; NodeFault where one node is to blame
   */
  async deploy(
    epoch: number,
    plan: Plan,
    hopHosts: readonly (string | undefined)[],
    listener: DeployListener,
  ): Promise<void> {
    const { stored } = this.#model;
    if (stored) {
      listener.onFetching();
      await stored.ensure(plan);
      // it was lost, or another plan was made, meanwhile
      if (!listener.isWanted()) return;
    }
    this.#send(epoch, plan, hopHosts);
    if (stored) listener.onFetched();
  }

  #send(epoch: number, plan: Plan, hopHosts: readonly (string | undefined)[]): void {
    const hopToken = randomBytes(32).toString('base64url');
    const { stages } = plan;
    const keys = stages.map(({ nodeId }) => this.#nodes.fingerprintOf(nodeId));
    for (const { nodeId, index, range } of stages) {
      const before = keys.at(index - 1);
      const after = keys[(index + 1) % stages.length];
      // a node that went just now: its loss comes as the next word, and is another plan
      if (before === undefined || after === undefined) continue;
      this.#nodes.send(nodeId, {
        kind: 'deploy',
        ...(hopHosts[index] !== undefined && { hopHost: hopHosts[index] }),
        ...(this.#model.stored && { stored: this.#model.stored.ref }),
        spec: {
          epoch,
          index,
          stageCount: stages.length,
          range,
          modelDir: this.#model.dir,
          modelFingerprint: this.#model.fingerprint,
          contextTokens: this.#card.contextTokens,
          maxSessions: this.maxSessions,
          kvTokens: plan.kvTokens,
          prefillChunkTokens: PREFILL_CHUNK_TOKENS,
          maxChunkScores: Math.floor(plan.prefillBytes / (SCORE_BYTES * this.#card.attentionHeads)),
          hopToken,
          neighbours: { before, after },
          ...(plan.engine === 'mlx-distributed' && { ranks: rankPlace(plan, index) }),
          speculation: { ...this.#model.speculation, ...(plan.draft && { draftPlace: plan.draft.place }) },
        },
      });
    }
    const nodeId = headStage(plan)?.nodeId as string;
    const others = plan.engine === 'mlx-distributed' ? stages.map((stage) => stage.nodeId) : [];
    this.#head = { epoch, nodeId, others: others.filter((other) => other !== nodeId), requests: 0 };
  }

  /**
   * @param from the node's address to dial from; the system chooses when undefined
   * @param keepsKv whether all stages go on with the KV that they hold
   * @param ranks of a plan on MLX Distributed: how its ranks meet
   */
  link(nodeId: string, { epoch, next, from, keepsKv, ranks }: HopOrder): void {
    this.#nodes.send(nodeId, {
      kind: 'link',
      epoch,
      next,
      keepsKv,
      ...(from !== undefined && { from }),
      ...(ranks && { ranks }),
    });
  }

  /** A draft on a node of its own, for the first stage of a plan. */
  deployDraft({ epoch, plan, nodeId, hopHost }: DraftOrder): void {
    const { draftDir, draftFingerprint, draftKvTokens } = this.#model.speculation;
    const { draft, contextTokens } = this.#card;
    const head = plan.stages[0]?.nodeId ?? '';
    const before = this.#nodes.fingerprintOf(head);
    const peer = this.#nodes.fingerprintOf(nodeId);
    // a node that went just now: its loss comes as the next word
    if (before === undefined || peer === undefined) return;
    if (draftDir === undefined || draftFingerprint === undefined || !draft) return;
    const hopToken = randomBytes(32).toString('base64url');
    this.#draft = { epoch, peer, token: hopToken };
    this.#nodes.send(nodeId, {
      kind: 'draft-deploy',
      ...(hopHost !== undefined && { hopHost }),
      spec: {
        ...{ role: 'draft', epoch, index: 0, stageCount: 1, range: { start: 0, end: draft.layerCount } },
        ...{ modelDir: draftDir, modelFingerprint: draftFingerprint, contextTokens, hopToken },
        ...{ maxSessions: this.maxSessions, kvTokens: draftKvTokens ?? contextTokens },
        // of prompts it reads less at once
        ...{ prefillChunkTokens: PREFILL_CHUNK_TOKENS, maxChunkScores: PREFILL_CHUNK_TOKENS * contextTokens },
        neighbours: { before, after: before },
      },
    });
  }

  /** Tells the first stage's node where the draft is that was deployed last. */
  linkDraft({ epoch, stagesEpoch, nodeId, next, from }: DraftLinkOrder): void {
    if (this.#draft?.epoch !== epoch) return;
    const { peer, token } = this.#draft;
    const link = { draftEpoch: epoch, next, peer, token, ...(from !== undefined && { from }) };
    this.#nodes.send(nodeId, { kind: 'draft-link', epoch: stagesEpoch, link });
  }

  undeploy(epoch: number, nodeId: string): void {
    this.#nodes.send(nodeId, { kind: 'undeploy', epoch });
  }

  installEngine(nodeId: string): void {
    this.#nodes.send(nodeId, { kind: 'install-engine' });
  }

  generate(request: GenerateRequest): void {
    const head = this.#head;
    if (!head) return;
    head.requests += 1;
    const { epoch, requests: serial } = head;
    this.#nodes.send(head.nodeId, { kind: 'generate', epoch, request, serial });
    for (const other of head.others) this.#nodes.send(other, { kind: 'wake', epoch, serial });
  }

  cancel(requestId: string): void {
    if (this.#head)
      this.#nodes.send(this.#head.nodeId, { kind: 'cancel', epoch: this.#head.epoch, requestId });
  }
}
