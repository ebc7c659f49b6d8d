// The screen while it lives: the newest view state, the window's size, a clock for ages, and the keys.
import { type Key as InkKey, useInput, useStdin, useWindowSize } from 'ink';
import { useEffect, useRef, useState, useSyncExternalStore } from 'react';
import type { LiveView } from '../live-view.ts';
import { frame } from '../paint/frame.ts';
import { lineWidth } from '../paint/line.ts';
import { type Look, styled } from '../paint/look.ts';
import type { ViewState } from '../store.ts';
import { type Command, INITIAL_UI, type Key, press, type Ui } from '../ui.ts';
import { Canvas } from './canvas.tsx';

interface Props {
  live: LiveView;
  /** the controller's address, for reading only */
  controller: string;
  look: Look;
  /** what a key asks of the rest of the program; a text that comes back is shown */
  obey(command: Command): Promise<string | undefined>;
}

export function App({ live, controller, look, obey }: Props) {
  const newest = useSyncExternalStore(live.subscribe, live.get);
  const talk = useSyncExternalStore(live.subscribe, live.talk);
  const size = useWindowSize();
  const { isRawModeSupported } = useStdin();
  const [ui, setUi] = useState(INITIAL_UI);
  const held = useRef<ViewState>(newest);
  if (!ui.isPaused) held.current = newest;
  const view = held.current;
  const now = useClock(view.connection.kind === 'gone');

  // Keys come faster than React draws: each is pressed on what the one before it made.
  const latest = useRef<Ui>(ui);
  const show = (next: Ui) => {
    latest.current = next;
    setUi(next);
  };
  useInput(
    (input, key) => {
      for (const each of keysOf(input, key)) {
        const { ui: next, command } = press(latest.current, each, held.current.status);
        show(next);
        if (command)
          void obey(command).then((notice) => {
            if (notice !== undefined) show({ ...latest.current, notice });
          });
      }
    },
    { isActive: isRawModeSupported },
  );

  const hasKeys = isRawModeSupported;
  const drawn = frame({ view, ui, talk, size, now, controller, hasKeys, look });
  const lines = drawn.map(({ line, isStale }) => {
    return { text: styled(line, look, isStale), width: lineWidth(line) };
  });
  return <Canvas lines={lines} columns={size.columns} />;
}

/** Several letters that come at once are a paste, or keys held down. */
function keysOf(input: string, key: InkKey): Key[] {
  const named = (name: Key['name']): Key[] => [{ name, text: '' }];
  if (key.ctrl && input === 'c') return named('interrupt');
  if (key.upArrow) return named('up');
  if (key.downArrow) return named('down');
  if (key.pageUp) return named('pageUp');
  if (key.pageDown) return named('pageDown');
  if (key.return) return named('return');
  if (key.escape) return named('escape');
  if (key.tab) return named('tab');
  if (key.backspace || key.delete) return named('backspace');
  if (key.ctrl || key.meta) return [];
  return [...input].map((text): Key => ({ name: NAMED[text] ?? 'text', text }));
}

const NAMED: Readonly<Record<string, Key['name']>> = {
  '\r': 'return',
  '\t': 'tab',
  '\u007f': 'backspace',
  '\u0003': 'interrupt',
};

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
