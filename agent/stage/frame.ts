// The frames on a hop, as bytes: length-prefixed, binary, little endian, checked before anything is believed.
// Pure: bytes in, frames out. docs/architecture.md draws the layout.
import { z } from 'zod';
import { ERRORS, type ErrorCode } from '../../protocol/errors.ts';
import { Grammar, Sampling } from '../../protocol/generate.ts';
import {
  MAX_BUSY_MS,
  MAX_DRAFT_WORD_BYTES,
  MAX_FAULT_CHARS,
  MAX_FRAME_BYTES,
  MAX_FRAME_OPS_BYTES,
  MAX_HIDDEN_SIZE,
  MAX_ID_COUNTS_CHARS,
  MAX_ID_SET_CHARS,
  MAX_KEPT_SESSIONS,
  MAX_ROWS,
  MAX_STEP_OPS,
  MAX_STEP_TOKENS,
  MAX_VOCABULARY,
} from '../../protocol/limits.ts';
import { PROTOCOL_VERSION } from '../../protocol/version.ts';
import type { Row, SessionOp } from '../engine/step.ts';
import type { WireDtype } from '../engine/tensor-bytes.ts';
import { decodeIdCounts, encodeIdCounts } from './id-counts.ts';
import { decodeIdSet, encodeIdSet } from './id-set.ts';
import { DraftWord } from './speculation/draft-words.ts';

/** `ESPL` */
const MAGIC = 0x4c505345;
const HEADER_BYTES = 32;
const ROW_BYTES = 16;
const NO_TOKEN = 0xffffffff;
/** A stage's number and a token of at most 200 characters, as JSON. */
const MAX_HELLO_BYTES = 1_024;

const KINDS = ['hello', 'step', 'tokens', 'beat', 'cancel', 'draft'] as const;
const DTYPES = ['F32', 'BF16', 'F16'] as const satisfies WireDtype[];
const DTYPE_BYTES = [4, 2, 2] as const;
/** flags of a row */
const SAMPLES = 1;
const IS_GUESS = 2;
const OUTCOMES = ['next', 'stop', 'length', 'failed'] as const;

/** How a sampled row ended: another token follows, or why none does. */
export type Outcome = (typeof OUTCOMES)[number];

/** The first frame on a hop: who calls, and the deployment's secret. */
export interface HelloFrame {
  kind: 'hello';
  epoch: number;
  fromStage: number;
  hopToken: string;
}

/** One step on its way from a stage to the next, with the hidden state of its rows. */
export interface StepFrame {
  kind: 'step';
  epoch: number;
  step: number;
  ops: SessionOp[];
  rows: Row[];
  /** absent when the step has no rows */
  hidden?: { dtype: WireDtype; width: number; bytes: Buffer } | undefined;
}

export interface SampledToken {
  session: number;
  token: number | undefined;
  outcome: Outcome;
}

/** The last stage's answer to the first: the step is through, with what its sampling rows drew. */
export interface TokensFrame {
  kind: 'tokens';
  epoch: number;
  step: number;
  sampled: SampledToken[];
}

/** The sender lives, and may be silent for `busyMs` from now on: a step or a load keeps it from speaking. */
export interface BeatFrame {
  kind: 'beat';
  epoch: number;
  busyMs: number;
}

/** Guessed rows of a session from a position on: they are wrong, up to where the session is trimmed. */
export interface CancelledGuesses {
  session: number;
  position: number;
}

/** Overtakes the steps that wait in a stage: what it names need not be computed there. */
export interface CancelFrame {
  kind: 'cancel';
  epoch: number;
  guesses: CancelledGuesses[];
}

/** Between the first stage and a draft on another node, in either direction. */
export interface DraftFrame {
  kind: 'draft';
  epoch: number;
  word: DraftWord;
}

export type Frame = HelloFrame | StepFrame | TokensFrame | BeatFrame | CancelFrame | DraftFrame;

/** A frame that breaks the format: the hop that sent it is closed with this reason. */
export class FrameError extends Error {
  constructor(what: string) {
    super(`malformed frame: ${what}`);
    this.name = 'FrameError';
  }
}

const SessionId = z.int().min(0).max(NO_TOKEN);
const Ops = z
  .array(
    z.discriminatedUnion('op', [
      z.object({
        op: z.literal('open'),
        session: SessionId,
        requestId: z.string().max(100),
        sampling: Sampling,
        maxTokens: z.int().min(1),
        stopIds: z.array(z.int().min(0)).max(64),
        grammar: Grammar.optional(),
        promptIds: z.string().max(MAX_ID_SET_CHARS).transform(decodeIdSet).optional(),
        generated: z
          .object({
            count: z.int().min(1),
            counts: z.string().max(MAX_ID_COUNTS_CHARS).transform(decodeIdCounts).optional(),
            ids: z.array(z.int().min(0).max(MAX_VOCABULARY)).optional(),
          })
          .optional(),
        from: z.object({ session: SessionId, length: z.int().min(1), take: z.boolean() }).optional(),
      }),
      z.object({ op: z.literal('keep'), session: SessionId }),
      z.object({ op: z.literal('trim'), session: SessionId, length: z.int().min(0) }),
      z.object({ op: z.literal('drop'), session: SessionId }),
      z.object({
        op: z.literal('sync'),
        sessions: z.array(z.object({ session: SessionId, length: z.int().min(1) })).max(MAX_KEPT_SESSIONS),
      }),
      z.object({
        op: z.literal('fail'),
        session: SessionId,
        code: z.enum(Object.keys(ERRORS) as [ErrorCode]),
        message: z.string().max(MAX_FAULT_CHARS),
      }),
    ]),
  )
  .max(MAX_STEP_OPS);
const Hello = z.object({ fromStage: z.int().min(0), hopToken: z.string().min(16).max(200) });

interface Header {
  kind: (typeof KINDS)[number];
  dtype: number;
  epoch: number;
  step: number;
  rows: number;
  jsonBytes: number;
  width: number;
  hiddenBytes: number;
}

/** Bytes of a whole frame after its header. */
function bodyBytes(header: Header): number {
  return header.rows * ROW_BYTES + header.jsonBytes + header.hiddenBytes;
}

/**
 * A frame as one buffer, ready to be written.
 * @param allocate gives a buffer of a length, in which every byte is then written
 */
export function encodeFrame(frame: Frame, allocate: (length: number) => Buffer = Buffer.allocUnsafe): Buffer {
  if (frame.kind === 'hello') {
    const { fromStage, hopToken } = frame;
    return assemble(frame, { json: Buffer.from(JSON.stringify({ fromStage, hopToken })) }, allocate);
  }
  if (frame.kind === 'tokens') {
    const rows = frame.sampled.map(({ session, token, outcome }) => [
      session,
      token ?? NO_TOKEN,
      0,
      OUTCOMES.indexOf(outcome),
      NO_TOKEN,
    ]);
    return assemble(frame, { rows, step: frame.step }, allocate);
  }
  if (frame.kind === 'draft')
    return assemble(frame, { json: Buffer.from(JSON.stringify(frame.word)) }, allocate);
  // it has no step, whose place its number takes
  if (frame.kind === 'beat') return assemble(frame, { step: Math.ceil(frame.busyMs) }, allocate);
  if (frame.kind === 'cancel') {
    const rows = frame.guesses.map(({ session, position }) => [session, position, 0, 0, NO_TOKEN]);
    return assemble(frame, { rows }, allocate);
  }
  const { ops, hidden, step } = frame;
  const rows = frame.rows.map(({ session, position, count, sample, guess }) => {
    const flags = (sample ? SAMPLES : 0) | (guess === undefined ? 0 : IS_GUESS);
    return [session, position, count, flags, guess ?? NO_TOKEN];
  });
  const json = ops.length > 0 ? Buffer.from(JSON.stringify(ops.map(writeOp))) : undefined;
  return assemble(frame, { rows, step, json, hidden }, allocate);
}

function writeOp(op: SessionOp): object {
  if (op.op === 'fail') return { ...op, message: op.message.slice(0, MAX_FAULT_CHARS) };
  if (op.op !== 'open' || !(op.promptIds || op.generated)) return op;
  const { promptIds, generated } = op;
  return {
    ...op,
    promptIds: promptIds && encodeIdSet(promptIds),
    generated: generated && { ...generated, counts: generated.counts && encodeIdCounts(generated.counts) },
  };
}

function assemble(
  { kind, epoch }: Frame,
  parts: { step?: number; rows?: number[][]; json?: Buffer | undefined; hidden?: StepFrame['hidden'] },
  allocate: (length: number) => Buffer,
): Buffer {
  const { step = 0, rows = [], json, hidden } = parts;
  const header: Header = {
    kind,
    dtype: hidden ? DTYPES.indexOf(hidden.dtype) : 0,
    epoch,
    step,
    rows: rows.length,
    jsonBytes: json?.length ?? 0,
    width: hidden?.width ?? 0,
    hiddenBytes: hidden?.bytes.length ?? 0,
  };
  const buffer = allocate(HEADER_BYTES + bodyBytes(header));
  writeHeader(buffer, header);
  let at = HEADER_BYTES;
  for (const [a = 0, b = 0, c = 0, d = 0, e = NO_TOKEN] of rows) {
    buffer.writeUInt32LE(a, at);
    buffer.writeUInt32LE(b, at + 4);
    buffer.writeUInt16LE(c, at + 8);
    buffer.writeUInt16LE(d, at + 10);
    buffer.writeUInt32LE(e, at + 12);
    at += ROW_BYTES;
  }
  if (json) at += json.copy(buffer, at);
  if (hidden) hidden.bytes.copy(buffer, at);
  return buffer;
}

function writeHeader(buffer: Buffer, header: Header): void {
  buffer.writeUInt32LE(MAGIC, 0);
  buffer.writeUInt16LE(PROTOCOL_VERSION, 4);
  buffer.writeUInt8(KINDS.indexOf(header.kind), 6);
  buffer.writeUInt8(header.dtype, 7);
  buffer.writeUInt32LE(header.epoch, 8);
  buffer.writeUInt32LE(header.step, 12);
  buffer.writeUInt32LE(header.rows, 16);
  buffer.writeUInt32LE(header.jsonBytes, 20);
  buffer.writeUInt32LE(header.width, 24);
  buffer.writeUInt32LE(header.hiddenBytes, 28);
}

function readHeader(buffer: Buffer): Header {
  if (buffer.readUInt32LE(0) !== MAGIC) throw new FrameError('it does not begin with ESPL');
  const version = buffer.readUInt16LE(4);
  if (version !== PROTOCOL_VERSION) {
    const side = version < PROTOCOL_VERSION ? 'the other side' : 'this side';
    throw new FrameError(`protocol ${version} where ${PROTOCOL_VERSION} is spoken here: upgrade ${side}`);
  }
  const kind = KINDS[buffer.readUInt8(6)];
  if (!kind) throw new FrameError(`kind ${buffer.readUInt8(6)} is not known`);
  const header: Header = {
    kind,
    dtype: buffer.readUInt8(7),
    epoch: buffer.readUInt32LE(8),
    step: buffer.readUInt32LE(12),
    rows: buffer.readUInt32LE(16),
    jsonBytes: buffer.readUInt32LE(20),
    width: buffer.readUInt32LE(24),
    hiddenBytes: buffer.readUInt32LE(28),
  };
  if (header.dtype >= DTYPES.length) throw new FrameError(`dtype ${header.dtype} is not known`);
  // an answer also names sessions that failed without a row in the step
  const maxRows = kind === 'tokens' ? MAX_ROWS + MAX_STEP_OPS : MAX_ROWS;
  if (header.rows > maxRows) throw new FrameError(`${header.rows} rows, at most ${maxRows}`);
  if (header.jsonBytes > MAX_FRAME_OPS_BYTES) throw new FrameError(`${header.jsonBytes} bytes of operations`);
  if (header.width > MAX_HIDDEN_SIZE) throw new FrameError(`a hidden state ${header.width} wide`);
  if (header.hiddenBytes > MAX_FRAME_BYTES)
    throw new FrameError(`${header.hiddenBytes} bytes of hidden state`);
  if (kind === 'hello' && (header.rows > 0 || header.jsonBytes > MAX_HELLO_BYTES))
    throw new FrameError(`a hello of ${bodyBytes(header)} bytes`);
  if (kind === 'beat' && (bodyBytes(header) > 0 || header.step > MAX_BUSY_MS))
    throw new FrameError(`a beat of ${bodyBytes(header)} bytes and ${header.step} ms`);
  if (kind === 'draft' && bodyBytes(header) > MAX_DRAFT_WORD_BYTES)
    throw new FrameError(`a word to a draft of ${bodyBytes(header)} bytes`);
  if (kind !== 'step' && header.hiddenBytes > 0) throw new FrameError(`a ${kind} frame with a hidden state`);
  return header;
}

function readBody(header: Header, body: Buffer): Frame {
  const { kind, epoch, step } = header;
  const rowsEnd = header.rows * ROW_BYTES;
  const json = body.subarray(rowsEnd, rowsEnd + header.jsonBytes);
  if (kind === 'hello') {
    const hello = Hello.safeParse(parseJson(json));
    if (!hello.success) throw new FrameError('a hello without stage and token');
    return { kind, epoch, ...hello.data };
  }
  if (kind === 'beat') return { kind, epoch, busyMs: step };
  if (kind === 'draft') {
    const word = DraftWord.safeParse(parseJson(json));
    if (!word.success) throw new FrameError(`a word to a draft: ${word.error.issues[0]?.message}`);
    return { kind, epoch, word: word.data };
  }
  const rows = Array.from({ length: header.rows }, (_, i) => {
    const at = i * ROW_BYTES;
    return [
      body.readUInt32LE(at),
      body.readUInt32LE(at + 4),
      body.readUInt16LE(at + 8),
      body.readUInt16LE(at + 10),
      body.readUInt32LE(at + 12),
    ] as const;
  });
  if (kind === 'cancel') {
    return { kind, epoch, guesses: rows.map(([session, position]) => ({ session, position })) };
  }
  if (kind === 'tokens') {
    return {
      kind,
      epoch,
      step,
      sampled: rows.map(([session, token, , outcome]) => readSampled(session, token, outcome)),
    };
  }
  const frame: StepFrame = {
    kind,
    epoch,
    step,
    ops: header.jsonBytes > 0 ? readOps(json) : [],
    rows: rows.map(([session, position, count, flags, token]) => ({
      session,
      position,
      count,
      sample: (flags & SAMPLES) !== 0,
      ...((flags & IS_GUESS) !== 0 && { guess: token }),
    })),
  };
  const bytes = body.subarray(rowsEnd + header.jsonBytes);
  checkHidden(frame.rows, header);
  if (frame.rows.length > 0)
    frame.hidden = { dtype: DTYPES[header.dtype] as WireDtype, width: header.width, bytes };
  return frame;
}

function readSampled(session: number, token: number, code: number): SampledToken {
  const outcome = OUTCOMES[code];
  if (!outcome) throw new FrameError(`outcome ${code} is not known`);
  return { session, token: token === NO_TOKEN ? undefined : token, outcome };
}

function checkHidden(rows: readonly Row[], header: Header): void {
  if (rows.some((row) => row.count < 1)) throw new FrameError('a row of no tokens');
  if (rows.some(({ guess, count, sample }) => guess !== undefined && (count > 1 || !sample)))
    throw new FrameError('a guess that is not a row of one token that samples');
  const tokens = rows.reduce((sum, row) => sum + row.count, 0);
  if (tokens > MAX_STEP_TOKENS)
    throw new FrameError(`${tokens} tokens in a step, at most ${MAX_STEP_TOKENS}`);
  const expected = tokens * header.width * (DTYPE_BYTES[header.dtype] as number);
  if (header.hiddenBytes !== expected || (tokens > 0 && header.width === 0)) {
    throw new FrameError(`${header.hiddenBytes} bytes of hidden state where its rows need ${expected}`);
  }
}

function readOps(json: Buffer): SessionOp[] {
  const ops = Ops.safeParse(parseJson(json));
  if (!ops.success) throw new FrameError(`operations: ${ops.error.issues[0]?.message}`);
  return ops.data;
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    throw new FrameError('text that is not JSON');
  }
}

/** Cuts a socket's bytes into frames. Holds at most one incomplete frame. */
export class FrameReader {
  #mustGreet: boolean;
  #chunks: Buffer[] = [];
  #held = 0;
  #header: Header | undefined;

  /** @param mustGreet whether the first frame must be a hello: memory is taken for nothing else before it */
  constructor({ mustGreet = false }: { mustGreet?: boolean } = {}) {
    this.#mustGreet = mustGreet;
  }

  /** @throws FrameError for anything malformed; the reader must not be used after it */
  push(chunk: Buffer): Frame[] {
    this.#chunks.push(chunk);
    this.#held += chunk.length;
    const frames: Frame[] = [];
    for (;;) {
      if (!this.#header) {
        if (this.#held < HEADER_BYTES) return frames;
        this.#header = readHeader(this.#take(HEADER_BYTES));
        if (this.#mustGreet && this.#header.kind !== 'hello')
          throw new FrameError('it did not begin with a hello');
        this.#mustGreet = false;
      }
      const length = bodyBytes(this.#header);
      if (this.#held < length) return frames;
      frames.push(readBody(this.#header, this.#take(length)));
      this.#header = undefined;
    }
  }

  /** The next `length` bytes, which are there; copied only where they lie in several chunks. */
  #take(length: number): Buffer {
    const [first] = this.#chunks;
    const whole = first && first.length >= length ? first : Buffer.concat(this.#chunks);
    const rest = whole.subarray(length);
    if (whole === first) this.#chunks.shift();
    else this.#chunks = [];
    if (rest.length > 0) this.#chunks.unshift(rest);
    this.#held -= length;
    return whole.subarray(0, length);
  }
}
