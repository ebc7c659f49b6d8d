// The one place where what the dashboard knows changes while it runs: reports go in, subscribers hear of it.
import { INITIAL_VIEW, reduce, type StoreEvent, type ViewState } from './store.ts';
import { hear, NO_TALK, type Talk, type TalkEvent } from './talk.ts';

export interface LiveView {
  get(): ViewState;
  talk(): Talk;
  /** Calls back after every change, until the returned function is called. */
  subscribe(listener: () => void): () => void;
  report(event: StoreEvent): void;
  hear(event: TalkEvent): void;
}

export function createLiveView(): LiveView {
  let view = INITIAL_VIEW;
  let talk = NO_TALK;
  const listeners = new Set<() => void>();
  const tell = () => {
    for (const listener of listeners) listener();
  };
  return {
    get: () => view,
    talk: () => talk,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    report(event) {
      view = reduce(view, event);
      tell();
    },
    hear(event) {
      talk = hear(talk, event);
      tell();
    },
  };
}
