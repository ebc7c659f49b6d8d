// LibreChat: a custom endpoint in its librechat.yaml, which lies wherever it was installed.
import { stringify } from 'yaml';
import { type Client, type Endpoint, keyOf } from '../client.ts';
import { setInYamlList } from '../settings-text.ts';

function entry(endpoint: Endpoint) {
  const { url, model } = endpoint;
  return {
    name: 'Espalier',
    apiKey: keyOf(endpoint),
    baseURL: `${url}/v1`,
    models: { default: [model], fetch: true },
    titleConvo: true,
    titleModel: model,
    modelDisplayLabel: 'Espalier',
  };
}

export const librechat: Client = {
  name: 'librechat',
  title: 'LibreChat',
  ways: ['openai-chat'],
  needsTools: false,
  steps: (endpoint) => {
    const lines = stringify({ endpoints: { custom: [entry(endpoint)] } })
      .trimEnd()
      .split('\n');
    return [
      'In librechat.yaml (with --write --file PATH it is put there):',
      ...lines.map((line) => `  ${line}`),
    ].join('\n');
  },
  file: {
    path: undefined,
    change: (text, endpoint) =>
      setInYamlList(text, ['endpoints', 'custom'], entry(endpoint), { version: '1.2.8' }),
  },
};
