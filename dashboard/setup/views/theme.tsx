// What a piece of the wizard's text means, translated into colour and weight. Colour only underlines: every meaning also
// has a mark or a word, so that NO_COLOR and colour-blind eyes lose nothing.
import { createContext, useContext } from 'react';

export type Tone = 'plain' | 'title' | 'quiet' | 'accent' | 'good' | 'warn' | 'bad';

export interface TextStyle {
  color?: string;
  dimColor?: boolean;
  bold?: boolean;
}

const STYLES: Record<Tone, TextStyle> = {
  plain: {},
  title: { bold: true },
  quiet: { dimColor: true },
  accent: { color: 'cyan' },
  good: { color: 'green' },
  warn: { color: 'yellow', bold: true },
  bad: { color: 'red', bold: true },
};

/** Whether there is colour: under NO_COLOR bold and dim remain. */
export const ColoursContext = createContext(true);

/** The style of a tone where this component stands, to be spread into `<Text>`. */
export function useTone(): (tone: Tone) => TextStyle {
  const colours = useContext(ColoursContext);
  return (tone) => {
    const { color, ...style } = STYLES[tone];
    return colours && color !== undefined ? { ...style, color } : style;
  };
}
