// The screen while it lives: the newest view state, the window's size, a clock for ages, and the keys.
import { useInput, useStdin, useWindowSize } from 'ink';
import { useEffect, useState, useSyncExternalStore } from 'react';
import type { LiveView } from '../live-view.ts';
import { Screen } from './screen.tsx';

interface Props {
  live: LiveView;
  /** the controller's address, for reading only */
  controller: string;
  colours: boolean;
  /** the user wants to go */
  leave(): void;
}

export function App({ live, controller, colours, leave }: Props) {
  const view = useSyncExternalStore(live.subscribe, live.get);
  const size = useWindowSize();
  const { isRawModeSupported } = useStdin();
  const [helpOpen, setHelpOpen] = useState(false);
  const now = useClock(view.connection.kind === 'gone');

  useInput(
    (input, key) => {
      if (input === 'q' || (key.ctrl && input === 'c')) leave();
      else if (input === '?') setHelpOpen((open) => !open);
      else if (key.escape) setHelpOpen(false);
    },
    { isActive: isRawModeSupported },
  );

  return <Screen {...{ view, size, now, controller, helpOpen, colours }} keys={isRawModeSupported} />;
}

/** Ticks once a second while something on the screen shows an age; snapshots bring their own redraws. */
function useClock(ticking: boolean): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!ticking) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [ticking]);
  return now;
}
