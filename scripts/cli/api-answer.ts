// What stands in an answer of the API, for every command that asks it: JSON, or the API's own words for why not.
import { z } from 'zod';

const Failure = z.object({ error: z.object({ message: z.string() }) });

/** The text's JSON; undefined where it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The message of an error that the API answered; undefined where it is something else. */
export function failureOf(json: unknown): string | undefined {
  return Failure.safeParse(json).data?.error.message;
}
