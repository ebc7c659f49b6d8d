// An error about one field of a request, and the errors of the HTTP server as errors of ours.
// It must not know how a dialect writes an error.
import { asEspalierError, type ErrorCode, EspalierError } from '../../protocol/errors.ts';
import { API_RETRY_AFTER_S, MAX_API_BODY_BYTES } from '../../protocol/limits.ts';

/** An error of ours that names the field, in the request's own words, that it is about. */
export class RequestError extends EspalierError {
  readonly param: string;

  constructor(code: ErrorCode, message: string, param: string) {
    super(code, message);
    this.param = param;
  }
}

/** Anything thrown while a request was handled, as one of ours. */
export function asRequestError(error: unknown): EspalierError {
  if (error instanceof EspalierError || !(error instanceof Error)) return asEspalierError(error);
  // JSON.parse reads any depth, but nothing that walks over the result does
  if (error instanceof RangeError && error.message.includes('call stack')) {
    return new EspalierError('invalid_request', 'The body is nested too deeply.', { cause: error });
  }
  const { code, statusCode } = error as Error & { code?: string; statusCode?: number };
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    const limitMib = MAX_API_BODY_BYTES / 2 ** 20;
    return new EspalierError('body_too_large', `The body is over the limit of ${limitMib} MiB.`);
  }
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    return new EspalierError('wrong_content_type', 'The body is not declared as JSON.');
  }
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new EspalierError('invalid_request', error.message, { cause: error });
  }
  return asEspalierError(error);
}

/** What went wrong and how to solve it, in two sentences. */
export function errorText({ message, solve }: EspalierError): string {
  return `${/[.!?]$/.test(message) ? message : `${message}.`} ${solve}`;
}

/** The headers that go with an error. */
export function errorHeaders(error: EspalierError): Record<string, string> {
  return error.status === 429 || error.status === 503 ? { 'retry-after': String(API_RETRY_AFTER_S) } : {};
}
