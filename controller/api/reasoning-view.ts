// Shows the reasoning of an answer as the client wants it: apart, in the answer between think marks, or not at all.
// It must not know dialects.
import type { ChatEvent } from '../chat-request.ts';
import type { ReasoningView } from './dialect.ts';

const OPEN = '<think>\n';
const CLOSE = '\n</think>\n\n';

/** Changes the events of one answer, one after the other. */
export function viewer(view: ReasoningView): (event: ChatEvent) => readonly ChatEvent[] {
  if (view === 'apart') return (event) => [event];
  if (view === 'hidden') return (event) => (event.kind === 'reasoning' ? [] : [event]);
  let isOpen = false;
  return (event) => {
    if (event.kind === 'reasoning') {
      const text = isOpen ? event.text : OPEN + event.text;
      isOpen = true;
      return [{ kind: 'content', text }];
    }
    if (!isOpen) return [event];
    isOpen = false;
    return [{ kind: 'content', text: CLOSE }, event];
  };
}
