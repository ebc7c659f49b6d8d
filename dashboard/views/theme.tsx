// What a piece of text means, translated into colour and weight. Colour only underlines: every meaning also has a
// mark or a word, so that NO_COLOR and colour-blind eyes lose nothing.
import { createContext, useContext } from 'react';

export type Tone = 'plain' | 'title' | 'quiet' | 'accent' | 'good' | 'warn' | 'bad';

export interface TextStyle {
  color?: string;
  dimColor?: boolean;
  bold?: boolean;
}

export interface Theme {
  /** false under NO_COLOR: bold and dim remain */
  colours: boolean;
  /** the picture is old: all of it is dim */
  stale: boolean;
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

export const ThemeContext = createContext<Theme>({ colours: true, stale: false });

/** The style of a tone under the theme around this component, to be spread into `<Text>`. */
export function useTone(): (tone: Tone) => TextStyle {
  const theme = useContext(ThemeContext);
  return (tone) => {
    const { color, ...style } = STYLES[tone];
    if (theme.colours && color !== undefined && !theme.stale) return { ...style, color };
    return theme.stale ? { dimColor: true } : style;
  };
}
