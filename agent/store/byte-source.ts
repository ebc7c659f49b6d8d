// Where a file's bytes can be read from an offset on, and the ways in which that can fail. It must not know files here.
import type { ErrorCode } from '../../protocol/errors.ts';

export interface ByteSource {
  /** for people: `the hub`, or a node */
  readonly name: string;
  /**
   * The bytes from an offset to the end of the file. They may begin earlier than asked for where a server knows no ranges.
   * @throws SourceError; the signal's reason
   */
  open(
    fromByte: number,
    signal: AbortSignal,
  ): Promise<{ fromByte: number; bytes: AsyncIterable<Uint8Array> }>;
}

/** A source that does not give. */
export class SourceError extends Error {
  /** another try would end in the same way */
  readonly isFinal: boolean;
  readonly code: ErrorCode;
  /** when the source itself said that it wants to be asked again */
  readonly retryAfterMs: number | undefined;

  constructor(
    message: string,
    how: { isFinal?: boolean; code?: ErrorCode; retryAfterMs?: number | undefined } = {},
  ) {
    super(message);
    this.name = 'SourceError';
    this.isFinal = how.isFinal ?? false;
    this.code = how.code ?? 'model_fetch_failed';
    this.retryAfterMs = how.retryAfterMs;
  }
}
