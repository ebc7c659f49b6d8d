// Continue: a model in its config.yaml.
import { stringify } from 'yaml';
import { type Client, type Endpoint, keyOf } from '../client.ts';
import { setInYamlList } from '../settings-text.ts';

function entry(endpoint: Endpoint) {
  const { url, model, contextTokens } = endpoint;
  return {
    name: `Espalier ${model}`,
    provider: 'openai',
    model,
    apiBase: `${url}/v1`,
    apiKey: keyOf(endpoint),
    roles: ['chat', 'edit', 'apply'],
    defaultCompletionOptions: { contextLength: contextTokens },
  };
}

export const continueDev: Client = {
  name: 'continue',
  title: 'Continue',
  ways: ['openai-chat'],
  needsTools: false,
  steps: (endpoint) => {
    const lines = stringify({ models: [entry(endpoint)] })
      .trimEnd()
      .split('\n');
    return ['In ~/.continue/config.yaml:', ...lines.map((line) => `  ${line}`)].join('\n');
  },
  file: {
    path: ['.continue', 'config.yaml'],
    change: (text, endpoint) =>
      setInYamlList(text, ['models'], entry(endpoint), { name: 'Local', version: '1.0.0', schema: 'v1' }),
  },
};
