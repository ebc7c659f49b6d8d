// Errors in OpenAI's form. Translation only.
import type { EspalierError } from '../../../protocol/errors.ts';
import { errorText, RequestError } from '../request-error.ts';

export interface OpenAiErrorBody {
  error: { message: string; type: string; param: string | null; code: string };
}

/** What went wrong and how to solve it, with the registry's code. */
export function openAiError(error: EspalierError): OpenAiErrorBody {
  return {
    error: {
      message: errorText(error),
      type: errorType(error.status),
      param: error instanceof RequestError ? error.param : null,
      code: error.code,
    },
  };
}

function errorType(status: number): string {
  if (status === 401) return 'authentication_error';
  if (status === 403) return 'permission_error';
  if (status === 429) return 'rate_limit_error';
  return status >= 500 ? 'server_error' : 'invalid_request_error';
}
