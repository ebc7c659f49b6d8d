// Lines on Ink's alternate screen. Ink would lay all cells out anew for each picture, which is most of what a dashboard
// costs (decision 18): it keeps the terminal and the keys, and the lines that changed are written here.
import { useStdout } from 'ink';
import { useEffect, useLayoutEffect, useRef } from 'react';
import { type Drawing, ENTER, LEAVE, repaint } from '../paint/repaint.ts';

export function Canvas(drawing: Drawing) {
  const { stdout } = useStdout();
  const before = useRef<Drawing | undefined>(undefined);
  useEffect(() => {
    // a terminal that was resized has moved what it showed
    const forget = () => {
      before.current = undefined;
    };
    stdout.on('resize', forget);
    return () => {
      stdout.off('resize', forget);
    };
  }, [stdout]);
  useLayoutEffect(() => {
    stdout.write(ENTER);
    return () => {
      stdout.write(LEAVE);
    };
  }, [stdout]);
  useLayoutEffect(() => {
    const text = repaint(before.current, drawing);
    before.current = drawing;
    if (text !== '') stdout.write(text);
  });
  return null;
}
