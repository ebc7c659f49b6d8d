// Errors in Ollama's form: a text. Translation only.
import type { EspalierError } from '../../../protocol/errors.ts';
import { errorText } from '../request-error.ts';

export interface OllamaErrorBody {
  error: string;
  code: string;
}

/** The registry's code stands beside it. */
export function ollamaError(error: EspalierError): OllamaErrorBody {
  return { error: errorText(error), code: error.code };
}
