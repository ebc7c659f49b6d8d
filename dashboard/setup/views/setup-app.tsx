// The wizard's screen while it lives: the newest page, the window's size, and the keys.
import { type Key, useInput, useWindowSize } from 'ink';
import { useSyncExternalStore } from 'react';
import type { Press } from '../page.ts';
import type { ScreenTalk } from '../screen-talk.ts';
import { SetupScreen } from './setup-screen.tsx';

interface Props {
  talk: ScreenTalk;
  colours: boolean;
}

export function SetupApp({ talk, colours }: Props) {
  const page = useSyncExternalStore(talk.subscribe, talk.get);
  const size = useWindowSize();
  useInput((input, key) => {
    // what is pasted, or typed faster than it is read, comes as one: a line break at its end is Enter
    const [, text = '', end] = /^([\s\S]*?)([\r\n]+)?$/.exec(input) ?? [];
    talk.press(pressOf(text, key));
    if (end !== undefined && text !== '') talk.press({ input: '', key: 'enter' });
  });
  return <SetupScreen page={page} size={size} colours={colours} />;
}

function pressOf(input: string, key: Key): Press {
  if (key.ctrl) return { input: '', key: input === 'c' ? 'ctrlC' : null };
  if (key.upArrow) return { input: '', key: 'up' };
  if (key.downArrow) return { input: '', key: 'down' };
  if (key.pageUp) return { input: '', key: 'pageUp' };
  if (key.pageDown) return { input: '', key: 'pageDown' };
  if (key.return) return { input: '', key: 'enter' };
  if (key.escape) return { input: '', key: 'escape' };
  if (key.backspace || key.delete) return { input: '', key: 'backspace' };
  return { input: key.tab || key.leftArrow || key.rightArrow ? '' : input, key: null };
}
