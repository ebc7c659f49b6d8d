// Tools and their calls as OpenAI writes them, which Ollama does too. Translation only.
import { z } from 'zod';
import { MAX_TOOLS } from '../../protocol/limits.ts';
import type { JsonObject, Tool, ToolCall } from '../chat-request.ts';
import { newCallId, writtenCall } from '../tools/tool-form.ts';
import { AnyObject, list } from './fields.ts';

export const ToolName = z
  .string({ error: 'must be a text' })
  .regex(/^[\w.:/-]{1,128}$/, { error: 'must have 1 to 128 letters, digits, dashes, dots and underscores' });

/** A function without parameters takes none. */
export const NO_PARAMETERS: JsonObject = { type: 'object', properties: {} };

const FunctionTool = z.object(
  {
    type: z.literal('function', { error: 'must be "function"' }).default('function'),
    function: z.object(
      { name: ToolName, description: z.string().nullish(), parameters: AnyObject.nullish() },
      { error: 'must be an object with name, description and parameters' },
    ),
  },
  { error: 'must be {"type": "function", "function": …}' },
);

export const Tools = list(FunctionTool, {
  max: MAX_TOOLS,
  error: `must be a list of at most ${MAX_TOOLS} tools`,
})
  .nullish()
  .transform((tools): Tool[] =>
    (tools ?? []).map(({ function: { name, description, parameters } }) => ({
      name,
      description: description ?? undefined,
      parameters: parameters ?? NO_PARAMETERS,
    })),
  );

const Call = z.object(
  {
    id: z.string().max(256).nullish(),
    function: z.object({ name: ToolName, arguments: z.unknown() }, { error: 'must be an object with name' }),
  },
  { error: 'must be an object with id and function' },
);

/** Of an assistant's message; arguments as JSON text or as an object. */
export const ToolCalls = list(Call, { max: MAX_TOOLS, error: `must be a list of at most ${MAX_TOOLS} calls` })
  .nullish()
  .transform((calls, context): ToolCall[] =>
    (calls ?? []).map(({ id, function: { name, arguments: given } }, index) => {
      const call = writtenCall(name, given === undefined || given === null || given === '' ? {} : given);
      if (call) return { id: id ?? newCallId(), ...call };
      const message = 'must be an object, or the JSON text of one';
      context.addIssue({ code: 'custom', path: [index, 'function', 'arguments'], message });
      return z.NEVER;
    }),
  );
