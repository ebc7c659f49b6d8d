// What `espalier connect` knows of a client: where its settings are, what belongs there, and how it asks.
// It must not know how files are written or questions sent.

/** The endpoint as a client is to be told. */
export interface Endpoint {
  /** without a path: `http://127.0.0.1:7117` */
  url: string;
  model: string;
  /** undefined on loopback, where none is asked for */
  key: string | undefined;
  /** tokens that a conversation may have */
  contextTokens: number;
}

/** How a client asks: what is tried to know that it will be answered. */
export type Way = 'openai-chat' | 'openai-responses' | 'openai-completions' | 'anthropic' | 'ollama';

/** A settings file that can be changed for the user. */
export interface SettingsFile {
  /** from the user's home; undefined where only the user knows */
  path: readonly string[] | undefined;
  /**
   * The file's text with the endpoint in it; all else stays as it is.
   * @param text undefined where there is no file yet
   * @throws Error when the text is not what the file should hold
   */
  change(text: string | undefined, endpoint: Endpoint): string;
}

export interface Client {
  /** as it is typed */
  name: string;
  title: string;
  ways: readonly Way[];
  /** whether it always sends tools: it is of no use with a model whose template has no form for them */
  needsTools: boolean;
  /** what to do by hand */
  steps(endpoint: Endpoint): string;
  /** undefined where its settings are in no file */
  file?: SettingsFile;
}

/** Clients that insist on a key take any where none is asked for. */
export function keyOf({ key }: Endpoint): string {
  return key ?? 'none';
}
