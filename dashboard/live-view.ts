// The one place where the view state changes while the dashboard runs: reports go in, subscribers hear of it.
import { INITIAL_VIEW, reduce, type StoreEvent, type ViewState } from './store.ts';

export interface LiveView {
  get(): ViewState;
  /** Calls back after every change, until the returned function is called. */
  subscribe(listener: () => void): () => void;
  report(event: StoreEvent): void;
}

export function createLiveView(): LiveView {
  let view = INITIAL_VIEW;
  const listeners = new Set<() => void>();
  return {
    get: () => view,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    report(event) {
      view = reduce(view, event);
      for (const listener of listeners) listener();
    },
  };
}
