// One question to the controller's public API: the answer as its schema has it, or an error that says whose fault it is.
// It must not know what is asked.
import type { z } from 'zod';
import { unreachable } from '../../dashboard/client.ts';
import { credentialHeaders } from '../../protocol/credential.ts';
import { EspalierError } from '../../protocol/errors.ts';
import { ESPALIER_VERSION } from '../../protocol/version.ts';
import { failureOf, parseJson } from './api-answer.ts';
import { ApiError } from './api-error.ts';

export interface Question<T> {
  /** with its query */
  path: string;
  /** of the answer */
  schema: z.ZodType<T>;
  /** what is asked for, in a word: `plan` */
  what: string;
  timeoutMs: number;
  /** sent as JSON with POST; without one it is a GET */
  body?: object;
  /** the API key, where one is needed */
  key?: string | undefined;
}

export interface Answer<T> {
  /** the whole answer as the API wrote it */
  text: string;
  data: T;
}

/**
 * @throws EspalierError controller_unreachable, or protocol_version when the answer is not understood; ApiError with the
 *   API's own words
 */
export async function askController<T>(controllerUrl: string, question: Question<T>): Promise<Answer<T>> {
  const { path, schema, what, timeoutMs, body, key } = question;
  const url = new URL(path, controllerUrl);
  const headers = {
    ...credentialHeaders(controllerUrl),
    ...(key !== undefined && { authorization: `Bearer ${key}` }),
    ...(body && { 'content-type': 'application/json' }),
  };
  const post = body && { method: 'POST', body: JSON.stringify(body) };
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, { ...post, headers, signal: AbortSignal.timeout(timeoutMs) });
    text = await response.text();
  } catch (error) {
    throw unreachable(controllerUrl, error);
  }
  const json = parseJson(text);
  const failure = failureOf(json);
  if (failure !== undefined) throw new ApiError(failure);
  const answer = schema.safeParse(json);
  if (answer.success) return { text, data: answer.data };
  if (!response.ok || json === undefined) {
    throw new EspalierError(
      'controller_unreachable',
      `${controllerUrl} answers ${post ? 'POST' : 'GET'} ${url.pathname} with HTTP ${response.status} and no ${what}: is it an Espalier controller?`,
    );
  }
  throw new EspalierError(
    'protocol_version',
    `what the controller at ${controllerUrl} says of its ${what} is not understood by version ${ESPALIER_VERSION}: upgrade the older side`,
  );
}
