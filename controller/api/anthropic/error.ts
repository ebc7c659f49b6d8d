// Errors in Anthropic's form. Translation only.
import type { EspalierError } from '../../../protocol/errors.ts';
import { errorText } from '../request-error.ts';

const TYPES: Record<number, string> = {
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  503: 'overloaded_error',
  504: 'timeout_error',
};

export interface AnthropicErrorBody {
  type: 'error';
  error: { type: string; message: string; code: string };
}

/** The registry's code stands beside Anthropic's type. */
export function anthropicError(error: EspalierError): AnthropicErrorBody {
  const { status, code } = error;
  const type = TYPES[status] ?? (status >= 500 ? 'api_error' : 'invalid_request_error');
  return { type: 'error', error: { type, message: errorText(error), code } };
}
