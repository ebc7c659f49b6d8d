// Which dialect an error is written in: that of the path, also where there is no such route.
import type { EspalierError } from '../../protocol/errors.ts';
import { anthropicError } from './anthropic/error.ts';
import { ollamaError } from './ollama/error.ts';
import { openAiError } from './openai/error.ts';

/** @param url as it was asked for */
export function errorBody(error: EspalierError, url: string): object {
  const [path = ''] = url.split('?');
  if (path === '/v1/messages' || path.startsWith('/v1/messages/')) return anthropicError(error);
  if (path.startsWith('/api/')) return ollamaError(error);
  return openAiError(error);
}
