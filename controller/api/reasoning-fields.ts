// How clients ask for thinking and for where it is shown: OpenAI's field and those of llama.cpp, vLLM, Groq and
// OpenRouter. Translation only.
import { z } from 'zod';
import type { ReasoningView } from './dialect.ts';
import { Flag } from './fields.ts';

const LooseText = z.string().nullish().catch(undefined);

export const REASONING_FIELDS = {
  reasoning_effort: LooseText,
  reasoning: z
    .looseObject({ effort: LooseText, enabled: Flag.catch(undefined), exclude: Flag.catch(undefined) })
    .nullish()
    .catch(undefined),
  enable_thinking: Flag.catch(undefined),
  think: z.union([z.boolean(), z.string()]).nullish().catch(undefined),
  chat_template_kwargs: z
    .looseObject({ enable_thinking: Flag.catch(undefined), thinking: Flag.catch(undefined) })
    .nullish()
    .catch(undefined),
  thinking: z.looseObject({ type: LooseText }).nullish().catch(undefined),
  reasoning_format: LooseText,
  include_reasoning: Flag.catch(undefined),
};
const Fields = z.object(REASONING_FIELDS);
export type ReasoningFields = z.infer<typeof Fields>;

/** @returns false where any of them says none, true where one asks for it, undefined where nothing is said */
export function wantsThinking(fields: ReasoningFields): boolean | undefined {
  const { reasoning_effort: effort, reasoning, chat_template_kwargs: template, thinking, think } = fields;
  const said = [
    effort === undefined || effort === null ? undefined : effort !== 'none',
    reasoning?.effort ? reasoning.effort !== 'none' : undefined,
    reasoning?.enabled,
    fields.enable_thinking,
    template?.enable_thinking,
    template?.thinking,
    thinking?.type ? thinking.type !== 'disabled' : undefined,
    typeof think === 'string' ? think !== 'none' && think !== 'false' : think,
  ].filter((value) => typeof value === 'boolean');
  if (said.length === 0) return undefined;
  return !said.includes(false);
}

/**
 * llama.cpp's `none` and Groq's `raw` leave the reasoning in the text; Groq's `hidden` and OpenRouter's exclude drop it.
 * @returns undefined where nothing is said
 */
export function wantedView({
  reasoning_format,
  include_reasoning,
  reasoning,
}: ReasoningFields): ReasoningView | undefined {
  if (reasoning_format === 'none' || reasoning_format === 'raw' || reasoning_format === 'inline')
    return 'inline';
  if (reasoning_format === 'hidden' || include_reasoning === false || reasoning?.exclude === true)
    return 'hidden';
  return typeof reasoning_format === 'string' && reasoning_format !== 'auto' ? 'apart' : undefined;
}
