// Claude Code: environment variables, which its settings file may set.
import { type Client, type Endpoint, keyOf } from '../client.ts';
import { setInJson } from '../settings-text.ts';

/** Thinking takes minutes on a large model. */
const TIMEOUT_MS = 3_000_000;

function environment(endpoint: Endpoint): Record<string, string> {
  const { url, model } = endpoint;
  return {
    ANTHROPIC_BASE_URL: url,
    ANTHROPIC_AUTH_TOKEN: keyOf(endpoint),
    ANTHROPIC_MODEL: model,
    // its titles and summaries: there is no smaller model here
    ANTHROPIC_DEFAULT_OPUS_MODEL: model,
    ANTHROPIC_DEFAULT_SONNET_MODEL: model,
    ANTHROPIC_DEFAULT_HAIKU_MODEL: model,
    API_TIMEOUT_MS: String(TIMEOUT_MS),
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
  };
}

export const claudeCode: Client = {
  name: 'claude-code',
  title: 'Claude Code',
  ways: ['anthropic'],
  needsTools: true,
  steps: (endpoint) =>
    [
      'In the shell, before `claude`:',
      ...Object.entries(environment(endpoint)).map(([name, value]) => `  export ${name}=${value}`),
    ].join('\n'),
  file: {
    path: ['.claude', 'settings.json'],
    change: (text, endpoint) =>
      setInJson(
        text,
        Object.entries(environment(endpoint)).map(([name, value]) => [['env', name], value]),
      ),
  },
};
