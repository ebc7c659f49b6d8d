// The frames on a measurement's socket: 12 bytes of header and a payload that nobody looks at. It knows no sockets.

/** Small and hidden-state pings, and chunks of a burst; a longer frame is malformed. */
export const MAX_PROBE_PAYLOAD_BYTES = 64 * 1024;
const HEADER_BYTES = 12;
const MAGIC = 0x45_53_50; // 'ESP'

/**
 * ready: the token was right · ping, pong: a payload there and back · data: a part of a burst · end: the burst is over ·
 * received: all of it, `count` bytes
 */
const KINDS = ['ready', 'ping', 'pong', 'data', 'end', 'received'] as const;
export type ProbeFrameKind = (typeof KINDS)[number];

export interface ProbeFrame {
  kind: ProbeFrameKind;
  payloadBytes: number;
  /** in `received` */
  count: number;
}

/** The whole frame, with a payload of zeros. @param count a whole number below 2^32 */
export function probeFrame(kind: ProbeFrameKind, payloadBytes = 0, count = 0): Buffer {
  const frame = Buffer.alloc(HEADER_BYTES + payloadBytes);
  frame.writeUInt32LE(MAGIC * 256 + KINDS.indexOf(kind), 0);
  frame.writeUInt32LE(payloadBytes, 4);
  frame.writeUInt32LE(count, 8);
  return frame;
}

/** Says what a stranger would not: first thing on every connection. */
export function probeGreeting(token: string): Buffer {
  return Buffer.from(`espalier-probe-1 ${token}\n`);
}

/** Finds frames in a stream of bytes and skips their payloads, so that it holds a header at most. */
export class ProbeFrameReader {
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerBytes = 0;
  #payloadLeft = 0;
  #frame: ProbeFrame | undefined;

  /** The frames that end in this chunk. @throws RangeError when it is malformed */
  *push(chunk: Buffer): Generator<ProbeFrame> {
    let at = 0;
    while (at < chunk.length || (this.#frame && this.#payloadLeft === 0)) {
      if (this.#frame) {
        const skipped = Math.min(this.#payloadLeft, chunk.length - at);
        this.#payloadLeft -= skipped;
        at += skipped;
        if (this.#payloadLeft > 0) return;
        const frame = this.#frame;
        this.#frame = undefined;
        yield frame;
      } else {
        const taken = chunk.copy(this.#header, this.#headerBytes, at, at + HEADER_BYTES - this.#headerBytes);
        this.#headerBytes += taken;
        at += taken;
        if (this.#headerBytes < HEADER_BYTES) return;
        this.#headerBytes = 0;
        this.#frame = readHeader(this.#header);
        this.#payloadLeft = this.#frame.payloadBytes;
      }
    }
  }
}

function readHeader(header: Buffer): ProbeFrame {
  const first = header.readUInt32LE(0);
  const kind = KINDS[first % 256];
  const payloadBytes = header.readUInt32LE(4);
  if (Math.floor(first / 256) !== MAGIC || kind === undefined || payloadBytes > MAX_PROBE_PAYLOAD_BYTES) {
    throw new RangeError('it is no frame of a measurement');
  }
  return { kind, payloadBytes, count: header.readUInt32LE(8) };
}
