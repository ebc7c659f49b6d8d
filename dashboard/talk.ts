// A question to the cluster from the dashboard and its answer so far. Pure: pieces in, the next state out.

export interface Talk {
  question: string | null;
  thinking: string;
  answer: string;
  state: 'idle' | 'asking' | 'answering' | 'done' | 'failed';
  /** of a failure, in words */
  trouble: string | null;
  /** pieces that have come; each is at least one token */
  pieces: number;
}

export const NO_TALK: Talk = {
  question: null,
  thinking: '',
  answer: '',
  state: 'idle',
  trouble: null,
  pieces: 0,
};

export type TalkEvent =
  | { kind: 'asked'; question: string }
  | { kind: 'piece'; thinking: string; answer: string }
  | { kind: 'done' }
  | { kind: 'failed'; trouble: string };

/** What is kept of an answer: more than any screen shows. */
const MAX_CHARS = 64_000;

export function hear(talk: Talk, event: TalkEvent): Talk {
  switch (event.kind) {
    case 'asked':
      return { ...NO_TALK, question: event.question, state: 'asking' };
    case 'piece':
      return {
        ...talk,
        state: 'answering',
        thinking: (talk.thinking + event.thinking).slice(-MAX_CHARS),
        answer: (talk.answer + event.answer).slice(-MAX_CHARS),
        pieces: talk.pieces + 1,
      };
    case 'done':
      return { ...talk, state: 'done' };
    case 'failed':
      return { ...talk, state: 'failed', trouble: event.trouble };
  }
}
