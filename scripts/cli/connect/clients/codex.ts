// Codex: a provider and a profile in its config.toml.
import type { Client, Endpoint } from '../client.ts';
import { setTomlBlock } from '../settings-text.ts';

/** Codex gives up on a stream after five minutes of silence; ours is never silent, but a busy network may be. */
const IDLE_MS = 600_000;

function block({ url, model, key, contextTokens }: Endpoint): string {
  const text = (value: string) => JSON.stringify(value);
  return [
    '[model_providers.espalier]',
    'name = "Espalier"',
    `base_url = ${text(`${url}/v1`)}`,
    'wire_api = "responses"',
    `stream_idle_timeout_ms = ${IDLE_MS}`,
    ...(key === undefined ? [] : ['env_key = "ESPALIER_API_KEY"']),
    '',
    '[profiles.espalier]',
    `model = ${text(model)}`,
    'model_provider = "espalier"',
    `model_context_window = ${contextTokens}`,
  ].join('\n');
}

export const codex: Client = {
  name: 'codex',
  title: 'Codex',
  ways: ['openai-responses'],
  needsTools: true,
  steps: (endpoint) =>
    [
      'In ~/.codex/config.toml:',
      ...block(endpoint)
        .split('\n')
        .map((line) => (line === '' ? '' : `  ${line}`)),
      '',
      ...(endpoint.key === undefined ? [] : ['  export ESPALIER_API_KEY=…   # the key']),
      'Then: codex --profile espalier',
    ].join('\n'),
  file: { path: ['.codex', 'config.toml'], change: (text, endpoint) => setTomlBlock(text, block(endpoint)) },
};
