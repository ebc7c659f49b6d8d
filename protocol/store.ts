// What the controller and an agent say to each other of model files: questions with an id, and their answers. The bytes
// themselves do not go this way: nodes read them of each other by HTTP over their own TLS (STORE_FILE_PATH).
import { z } from 'zod';
import { Fingerprint } from './identity.ts';
import { MAX_MODEL_FILES, MAX_PAIRED_NODES } from './limits.ts';
import {
  BlobId,
  Commit,
  FoundModel,
  ModelDescription,
  ModelFile,
  ModelFileName,
  ModelRef,
  RepoName,
  Revision,
} from './models.ts';
import { HostPort } from './node.ts';
import { Shown } from './printable.ts';
import { ProbeAddress } from './probe.ts';

/** GET with `?repo&blob&size`, of one node by another: a file that is there, or comes while it is read; with ranges. */
export const STORE_FILE_PATH = '/store/file';
/** GET with `?repo&commit&path&blob&size`, by the controller: the header of a weights file, be it still on the hub. */
export const STORE_HEADER_PATH = '/store/header';

const AskId = z.string().min(8).max(64);

/** One way to another node: what to dial, and from which address of this node; the system chooses when left out. */
const StoreWay = HostPort.extend({ from: ProbeAddress.optional() });
export type StoreWay = z.infer<typeof StoreWay>;

/** Where a file's bytes are to come from. */
export const FileSource = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('hub'), bytesPerSecond: z.int().min(1).nullable() }),
  /** `ways` are tried in turn; the node at the other end must have this key */
  z.object({
    kind: z.literal('node'),
    nodeId: z.string(),
    key: Fingerprint,
    ways: z.array(StoreWay).min(1).max(8),
  }),
]);
export type FileSource = z.infer<typeof FileSource>;

/** controller → agent */
export const STORE_COMMANDS = [
  /** who may read this node's model files, besides the controller; replaces what was said before */
  z.object({ kind: z.literal('store-share'), readers: z.array(Fingerprint).max(MAX_PAIRED_NODES) }),
  z.object({ kind: z.literal('store-search'), askId: AskId, text: z.string().max(200) }),
  /** the hub is asked for a repository; its text files are fetched with it */
  z.object({ kind: z.literal('store-describe'), askId: AskId, repo: RepoName, revision: Revision }),
  /** a folder of this node's disk becomes a model of its store; its files stay where they are */
  z.object({ kind: z.literal('store-import'), askId: AskId, folder: z.string().min(1).max(1_000) }),
  /** which of these files are there, whole and verified? */
  z.object({
    kind: z.literal('store-holds'),
    askId: AskId,
    model: ModelRef,
    files: z.array(ModelFile).max(MAX_MODEL_FILES),
  }),
  z.object({
    kind: z.literal('store-fetch'),
    askId: AskId,
    model: ModelRef,
    file: ModelFile,
    source: FileSource,
  }),
  /** reads a file that is there once more; a damaged one is taken away */
  z.object({ kind: z.literal('store-verify'), askId: AskId, model: ModelRef, file: ModelFile }),
  z.object({ kind: z.literal('store-remove'), askId: AskId, repo: RepoName }),
  /** nobody waits for the answer any more: what runs for it ends */
  z.object({ kind: z.literal('store-stop'), askId: AskId }),
] as const;
export type StoreCommand = z.infer<(typeof STORE_COMMANDS)[number]>;

/** agent → controller: to each question one of these, and `store-failed` where it could not be done */
export const STORE_EVENTS = [
  z.object({ kind: z.literal('store-found'), askId: AskId, models: z.array(FoundModel).max(100) }),
  z.object({ kind: z.literal('store-described'), askId: AskId, model: ModelDescription }),
  z.object({
    kind: z.literal('store-held'),
    askId: AskId,
    folder: Shown(1_000),
    freeBytes: z.number().min(0),
    paths: z.array(ModelFileName).max(MAX_MODEL_FILES),
    /** bytes that are there of files that are not whole yet */
    partial: z.array(z.object({ path: ModelFileName, bytes: z.int().min(0) })).max(MAX_MODEL_FILES),
  }),
  /** of a fetch or a verification that runs: bytes on the disk, or read; and why none come, until the source is asked again */
  z.object({
    kind: z.literal('store-progress'),
    askId: AskId,
    doneBytes: z.number().min(0),
    waits: Shown(300).optional(),
  }),
  /** a fetch, a removal (bytes that were freed), or a verification whose file is as it should be */
  z.object({
    kind: z.literal('store-done'),
    askId: AskId,
    /** that came over a network for it, or were freed */
    bytes: z.number().min(0),
  }),
  z.object({
    kind: z.literal('store-failed'),
    askId: AskId,
    code: z.string(),
    message: Shown(2_000),
  }),
] as const;
export type StoreEvent = z.infer<(typeof STORE_EVENTS)[number]>;

/** What a node's file server is asked for. */
export const StoreFileQuery = z.object({
  repo: RepoName,
  blob: BlobId,
  size: z.coerce.number().int().min(0),
});
export const StoreHeaderQuery = StoreFileQuery.extend({ commit: Commit, path: ModelFileName });
