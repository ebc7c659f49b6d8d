// Models as people and processes name them: a repository of a hub at one commit, its files, what nodes hold of them, and
// the words of the API's model routes. It must not know how bytes travel.
import { z } from 'zod';
import { MAX_MODEL_FILES, MAX_PULL_REPLICAS } from './limits.ts';
import { Shown } from './printable.ts';

export const MODELS_PATH = '/cluster/v1/models';
export const CATALOGUE_PATH = '/cluster/v1/models/catalogue';
/** GET with `?model=NAME`, of the store or of the catalogue: the plan that it would get, on paper */
export const MODEL_PLAN_PATH = '/cluster/v1/models/plan';
export const SEARCH_MODELS_PATH = '/cluster/v1/models/search';
export const PULL_MODEL_PATH = '/cluster/v1/models/pull';
export const CANCEL_PULL_PATH = '/cluster/v1/models/pull/cancel';
export const REMOVE_MODEL_PATH = '/cluster/v1/models/remove';
export const VERIFY_MODEL_PATH = '/cluster/v1/models/verify';
/** GET with `?model=NAME`: what deploying it would cost; POST deploys it in the place of the present one */
export const DEPLOYMENT_PATH = '/cluster/v1/deployment';

/** `organisation/name` as the hub has it, or `local/name` of a folder. The hub knows neither `--` nor `..` in names. */
export const RepoName = z
  .string()
  .max(120)
  .regex(/^[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*$/, 'a model is named like mlx-community/DeepSeek-R1-4bit')
  .refine((name) => !/--|\.\.|[-.](\/|$)/.test(name), 'the hub has no such names');

/** A branch, tag or commit. */
export const Revision = z
  .string()
  .max(100)
  .regex(/^(?!.*\.\.)[A-Za-z0-9][\w./-]*$/, 'a revision is a branch, a tag or a commit');

/** What a revision is pinned to: a commit of the hub; of a folder, 40 digits of the sha256 of its list of files. */
export const Commit = z.string().regex(/^[0-9a-f]{40}$/);

/** What a file's bytes must be: their sha256 (64 digits; large files), or git's sha1 of them as a blob (40 digits). */
export const BlobId = z.string().regex(/^([0-9a-f]{40}|[0-9a-f]{64})$/);

/** Weights, JSON and templates at the top of a repository are all that is ever fetched or read: no code. */
export const ModelFileName = z
  .string()
  .max(160)
  .regex(/^(?!\.)[\w.-]+\.(safetensors|json|jinja)$/);

export const ModelFile = z.object({
  path: ModelFileName,
  sizeBytes: z.int().min(0),
  blob: BlobId,
});
export type ModelFile = z.infer<typeof ModelFile>;

export const ModelRef = z.object({ repo: RepoName, commit: Commit });
export type ModelRef = z.infer<typeof ModelRef>;

/** A repository at a commit, with the files that a model consists of. */
export const ModelDescription = ModelRef.extend({
  files: z.array(ModelFile).min(1).max(MAX_MODEL_FILES),
  /** as its maker names it; null where he does not */
  licence: Shown(100).nullable(),
});
export type ModelDescription = z.infer<typeof ModelDescription>;

export function isWeightsFile(path: string): boolean {
  return path.endsWith('.safetensors');
}

export function totalBytes(files: Iterable<{ sizeBytes: number }>): number {
  let sum = 0;
  for (const { sizeBytes } of files) sum += sizeBytes;
  return sum;
}

/** A repository as a search finds it. */
export const FoundModel = z.object({
  repo: Shown(200),
  downloads: z.number().nullable(),
  likes: z.number().nullable(),
  updatedAt: Shown(40).nullable(),
  /** asks for an account that was let in */
  isGated: z.boolean(),
});
export type FoundModel = z.infer<typeof FoundModel>;

/** A file on its way to a node, or being checked there. */
export const FileProgress = z.object({
  path: z.string(),
  sizeBytes: z.number(),
  /** on the node's disk */
  doneBytes: z.number(),
  /** `hub`, the node that it is copied from, or `disk` while it is checked */
  from: z.string(),
  /** why nothing comes, until it is asked for again; null while something does */
  waits: z.string().nullable(),
});
export type FileProgress = z.infer<typeof FileProgress>;

export const NodePull = z.object({
  nodeId: z.string(),
  node: z.string(),
  /** of all files that the node is to hold */
  totalBytes: z.number(),
  doneBytes: z.number(),
  files: z.int(),
  filesDone: z.int(),
  /** those that move now */
  active: z.array(FileProgress),
  /** why nothing moves there, in a sentence; null where something does or nothing needs to */
  waits: z.string().nullable(),
});
export type NodePull = z.infer<typeof NodePull>;

/** A pull, or a verification, which ends with pulling what was damaged. */
export const PullProgress = z.object({
  id: z.string(),
  kind: z.enum(['pull', 'verify']),
  model: z.string(),
  /** the name that it was asked for by: a folder's path stays here when `model` has become `local/…` */
  asked: z.string(),
  commit: z.string(),
  state: z.enum(['describing', 'verifying', 'pulling', 'done', 'failed', 'cancelled']),
  /** the registered code and the sentence of what ended it; null otherwise */
  failure: z.object({ code: z.string(), message: z.string() }).nullable(),
  /** files that were found damaged, in words; they are fetched anew */
  damaged: z.array(z.string()),
  /** bytes of all files on all nodes */
  totalBytes: z.number(),
  doneBytes: z.number(),
  /** fetched from the hub by this pull, and copied from node to node */
  hubBytes: z.number(),
  copiedBytes: z.number(),
  /** measured over the last ten seconds, all nodes together; null before there is anything to measure */
  bytesPerSecond: z.number().nullable(),
  /** an estimate: what is left at that rate; null without one */
  remainingSeconds: z.number().nullable(),
  nodes: z.array(NodePull),
});
export type PullProgress = z.infer<typeof PullProgress>;

/** What a node holds of a model, whole and verified. */
export const HeldBy = z.object({
  nodeId: z.string(),
  node: z.string(),
  files: z.int(),
  bytes: z.number(),
});

export const StoredModel = z.object({
  /** what clients and commands call it */
  id: z.string(),
  commit: z.string().nullable(),
  /** deployed: it is in force · ready: every file is on some node · partial: some files are on none that is connected */
  state: z.enum(['deployed', 'ready', 'partial']),
  /** a folder that was named at the start (`--model`), or the store */
  source: z.enum(['folder', 'store']),
  architecture: z.string(),
  quantization: z.string(),
  layerCount: z.int(),
  sizeBytes: z.number(),
  licence: z.string().nullable(),
  /** null for a folder, which nobody asks the nodes about */
  heldBy: z.array(HeldBy).nullable(),
  /** of its files, how many no connected node holds */
  missingFiles: z.int(),
});
export type StoredModel = z.infer<typeof StoredModel>;

export const ModelsReport = z.object({
  models: z.array(StoredModel),
  /** those that run, and the last ones that ended */
  pulls: z.array(PullProgress),
  /** the nodes' stores; what a node did not answer in time is null */
  stores: z.array(
    z.object({
      nodeId: z.string(),
      node: z.string(),
      folder: z.string().nullable(),
      freeBytes: z.number().nullable(),
    }),
  ),
});
export type ModelsReport = z.infer<typeof ModelsReport>;

/** A model that somebody has quantized for MLX, and whether the cluster can hold it. */
export const CatalogueEntry = z.object({
  repo: z.string(),
  /** the built-in card that its figures are from */
  card: z.string(),
  licence: z.string(),
  bits: z.int(),
  /** of its files, computed from the architecture: the hub's own figure comes with the pull */
  fileBytes: z.number(),
  memoryBytes: z.number(),
  fits: z.boolean(),
  /** nodes of the plan; null where it does not fit */
  nodes: z.int().nullable(),
  /** of one stream, predicted; null where it does not fit */
  tokensPerSecond: z.number().nullable(),
  /** why it does not fit */
  reason: z.string().nullable(),
});
export type CatalogueEntry = z.infer<typeof CatalogueEntry>;

export const CatalogueReport = z.object({ models: z.array(CatalogueEntry), nodes: z.int() });
export type CatalogueReport = z.infer<typeof CatalogueReport>;

export const SearchReport = z.object({ models: z.array(FoundModel) });
export type SearchReport = z.infer<typeof SearchReport>;

export const PullRequest = z.object({
  /** `organisation/name`; or a folder of a node, by its absolute path */
  model: z.string().min(1).max(1_000),
  revision: Revision.optional(),
  /** where a folder lies: a node's name or id */
  node: z.string().max(100).optional(),
  /** nodes that hold each file, at least */
  replicas: z.int().min(1).max(MAX_PULL_REPLICAS).default(1),
  /** of all that comes from the hub, together */
  limitBytesPerSecond: z.int().min(1_000).optional(),
});
export type PullRequest = z.infer<typeof PullRequest>;

export const ModelRequest = z.object({ model: z.string().min(1).max(1_000) });
export type ModelRequest = z.infer<typeof ModelRequest>;

export const PullAnswer = z.object({ pull: PullProgress });
export type PullAnswer = z.infer<typeof PullAnswer>;

export const RemovedAnswer = z.object({
  model: z.string(),
  freedBytes: z.number(),
  nodes: z.array(z.string()),
});
export type RemovedAnswer = z.infer<typeof RemovedAnswer>;

/** What deploying a model would take. */
export const SwitchCost = z.object({
  model: z.string(),
  /** the model that it takes the place of; null where none is deployed, or the same one is */
  replaces: z.string().nullable(),
  /** what its plan needs that the nodes do not hold */
  missingBytes: z.number(),
  /** weights that the stages read from their disks */
  loadBytes: z.number(),
  nodes: z.int(),
  /** predicted: the fullest stage at LOAD_BYTES_PER_SECOND, without what is to be fetched first */
  loadSeconds: z.number(),
  /** of one stream, predicted */
  tokensPerSecond: z.number(),
  /** requests that run, or wait: they end before the switch, or with it */
  requests: z.int(),
});
export type SwitchCost = z.infer<typeof SwitchCost>;

export const SwitchAnswer = z.object({ cost: SwitchCost, isDeployed: z.boolean() });
export type SwitchAnswer = z.infer<typeof SwitchAnswer>;

/** Which model is deployed, and what becomes of a switch. */
export const DeploymentReport = z.object({
  model: z.string(),
  switchingTo: z.string().nullable(),
  /** of the last switch; null where it succeeded */
  failure: z.object({ code: z.string(), message: z.string() }).nullable(),
});
export type DeploymentReport = z.infer<typeof DeploymentReport>;
