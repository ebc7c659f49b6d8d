// Zed: an OpenAI-compatible provider in its settings.json; the key goes into the system's keychain, by Zed itself.
import { type Client, type Endpoint, keyOf } from '../client.ts';
import { setInJson } from '../settings-text.ts';

const PATH = ['language_models', 'openai_compatible', 'Espalier'];

function provider({ url, model, contextTokens }: Endpoint): object {
  return {
    api_url: `${url}/v1`,
    available_models: [
      {
        name: model,
        display_name: `${model} (Espalier)`,
        max_tokens: contextTokens,
        capabilities: { tools: true },
      },
    ],
  };
}

export const zed: Client = {
  name: 'zed',
  title: 'Zed',
  ways: ['openai-chat', 'ollama'],
  needsTools: false,
  steps: (endpoint) =>
    [
      'In ~/.config/zed/settings.json:',
      ...setInJson(undefined, [[PATH, provider(endpoint)]])
        .trimEnd()
        .split('\n')
        .map((line) => `  ${line}`),
      '',
      `Then, in the agent panel's settings, give Espalier the key ${keyOf(endpoint)}.`,
    ].join('\n'),
  file: {
    path: ['.config', 'zed', 'settings.json'],
    change: (text, endpoint) => setInJson(text, [[PATH, provider(endpoint)]]),
  },
};
