// What the schemas of all dialects are made of, and how a body is read by one. Wrong values are refused with the name of
// the field; what is unknown is ignored, for clients send much. It must not know any dialect.
import { z } from 'zod';
import { EspalierError } from '../../protocol/errors.ts';
import { MAX_STOP_STRING_CHARS, MAX_STOP_STRINGS } from '../../protocol/limits.ts';
import { RequestError } from './request-error.ts';

/**
 * Reads a body.
 * @throws EspalierError invalid_request; a RequestError that names the field, where there is one
 */
export function readBody<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const param = fieldName(issue?.path ?? []);
  const message = issue?.message ?? 'is wrong';
  if (param === '') throw new EspalierError('invalid_request', message);
  throw new RequestError('invalid_request', `${param}: ${message}`, param);
}

/** `messages[2].content[0]` */
export function fieldName(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (name, key) =>
      typeof key === 'number' ? `${name}[${key}]` : name === '' ? String(key) : `${name}.${String(key)}`,
    '',
  );
}

/** A body of these fields. */
export function bodyOf<Shape extends z.ZodRawShape>(shape: Shape): z.ZodObject<Shape> {
  return z.object(shape, { error: 'The body must be a JSON object.' });
}

/** What the elements of a list are, by the schema that looks at its length alone. */
const elements = new WeakMap<object, z.ZodType>();

/** What the elements of a list are, for whoever describes it. */
export function publishedList(schema: object): z.ZodType | undefined {
  return elements.get(schema);
}

/** Its length is looked at before its elements are: a list of a million wrong ones must not make a million errors. */
export function list<T>(
  element: z.ZodType<T>,
  { min = 0, max, error }: { min?: number; max: number; error: string },
): z.ZodType<T[]> {
  const length = z.array(z.unknown(), { error }).min(min, { error }).max(max, { error });
  elements.set(length, element);
  return length.pipe(z.array(element));
}

export function numberBetween(min: number, max: number) {
  const error = `must be a number from ${min} to ${max}`;
  return z.number({ error }).min(min, { error }).max(max, { error }).nullish();
}

export function wholeNumber(min: number, max = Number.MAX_SAFE_INTEGER) {
  const error =
    max === Number.MAX_SAFE_INTEGER
      ? `must be a whole number of at least ${min}`
      : `must be a whole number from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error }).nullish();
}

export const Flag = z.boolean({ error: 'must be true or false' }).nullish();
export const OptionalText = z.string({ error: 'must be a text' }).nullish();
/** JSON Schema, or any other object: what is in it is checked where it is used. */
export const AnyObject = z.record(z.string(), z.unknown(), { error: 'must be an object' });

const StopString = z
  .string({ error: 'must be a text or a list of texts' })
  .min(1, { error: 'must not be empty' })
  .max(MAX_STOP_STRING_CHARS, { error: `must have at most ${MAX_STOP_STRING_CHARS} characters` });

/** A stop string, a list of them, or nothing. */
export const Stop = z
  .preprocess(
    (stop) => (typeof stop === 'string' ? [stop] : (stop ?? [])),
    list(StopString, {
      max: MAX_STOP_STRINGS,
      error: `must be a text or a list of at most ${MAX_STOP_STRINGS} texts`,
    }),
  )
  .optional();

/** A text as it is; nothing for anything else, which String() might not survive. */
export function plainText(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Undefined for null: OpenAI's clients send null for what they leave out. */
export function given<T>(value: T | null | undefined): T | undefined {
  return value ?? undefined;
}
