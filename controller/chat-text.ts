// From token ids to what is shown: text, its reasoning apart, calls of tools taken out, up to a stop string.
// It must not know where the tokens come from, or dialects.
import type { TokenEvent } from '../protocol/generate.ts';
import type { AdmittedChat } from './chat-admission.ts';
import type { ChatEvent, TextPiece, TokenInfo } from './chat-request.ts';
import { Detokenizer } from './detokenizer.ts';
import { ReasoningSplitter, type TextSegment } from './reasoning.ts';
import { StopStrings } from './stop-strings.ts';
import { newCallId, type WrittenCall } from './tools/tool-form.ts';
import { ToolSplitter } from './tools/tool-splitter.ts';

export class ChatText {
  readonly #detokenizer: Detokenizer;
  readonly #splitter: ReasoningSplitter | undefined;
  readonly #tools: ToolSplitter | undefined;
  readonly #stops: StopStrings;
  /** tokens whose text is not shown yet */
  #pending: TokenInfo[] = [];
  #isReasoning: boolean;
  #calls = 0;
  #reasoningTokens = 0;

  constructor({ model, reading, stop, toolForm }: AdmittedChat) {
    this.#detokenizer = new Detokenizer(model.decode);
    if (reading !== 'raw') this.#splitter = new ReasoningSplitter(reading === 'reasoning');
    if (toolForm) this.#tools = new ToolSplitter(toolForm);
    this.#stops = new StopStrings(stop);
    this.#isReasoning = reading === 'reasoning';
  }

  /** the stop string that was found */
  get stopString(): string | undefined {
    return this.#stops.found;
  }

  get hasCalls(): boolean {
    return this.#calls > 0;
  }

  get reasoningTokens(): number {
    return this.#reasoningTokens;
  }

  /** @param token of the event, which has one */
  push({ logprob, topLogprobs }: TokenEvent, token: number): ChatEvent[] {
    const text = this.#detokenizer.push(token);
    const segments = this.#splitter ? this.#splitter.push(text) : toContent(text);
    if (this.#isReasoning) this.#reasoningTokens += 1;
    this.#isReasoning = this.#splitter?.isReasoning ?? false;
    if (logprob !== undefined) this.#pending.push({ token, logprob, top: topLogprobs ?? [] });
    if (this.#splitter?.isBetween) this.#pending = [];
    return this.#show(segments);
  }

  end(): ChatEvent[] {
    const rest = this.#detokenizer.flush();
    const segments = this.#splitter
      ? [...this.#splitter.push(rest), ...this.#splitter.end()]
      : toContent(rest);
    const events = this.#show(segments);
    const last = this.#tools?.end();
    if (last && this.stopString === undefined) {
      events.push(...this.#content(last.text), ...this.#called(last.calls));
    }
    const held = this.#stops.end();
    if (held !== '') events.push(this.#piece('content', held));
    return events;
  }

  #show(segments: readonly TextSegment[]): ChatEvent[] {
    const events: ChatEvent[] = [];
    for (const { kind, text } of segments) {
      if (this.stopString !== undefined) break;
      if (kind === 'reasoning') {
        events.push(this.#piece(kind, text));
        continue;
      }
      const split = this.#tools?.push(text) ?? { text, calls: [] };
      events.push(...this.#content(split.text));
      if (this.stopString === undefined) events.push(...this.#called(split.calls));
    }
    return events;
  }

  #content(text: string): TextPiece[] {
    if (text === '') return [];
    const shown = this.#stops.push(text).text;
    return shown === '' ? [] : [this.#piece('content', shown)];
  }

  #piece(kind: TextPiece['kind'], text: string): TextPiece {
    const tokens = this.#pending;
    if (tokens.length === 0) return { kind, text };
    this.#pending = [];
    return { kind, text, tokens };
  }

  #called(calls: readonly WrittenCall[]): ChatEvent[] {
    return calls.map((call) => ({
      kind: 'tool-call',
      index: this.#calls++,
      call: { id: newCallId(), ...call },
    }));
  }
}

function toContent(text: string): TextSegment[] {
  return text === '' ? [] : [{ kind: 'content', text }];
}
