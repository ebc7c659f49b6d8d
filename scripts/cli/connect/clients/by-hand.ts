// The clients whose settings are in a database or a keychain of their own: what to enter, and where.
import { type Client, keyOf } from '../client.ts';

export const openWebUi: Client = {
  name: 'open-webui',
  title: 'Open WebUI',
  ways: ['openai-chat', 'ollama'],
  needsTools: false,
  steps: (endpoint) =>
    [
      'Admin Panel → Settings → Connections → OpenAI API → +',
      `  URL  ${endpoint.url}/v1`,
      `  Key  ${keyOf(endpoint)}`,
      'or, where it is started:',
      `  OPENAI_API_BASE_URL=${endpoint.url}/v1 OPENAI_API_KEY=${keyOf(endpoint)}`,
      'Titles and tags that it asks for are answered after all conversations, without thinking.',
    ].join('\n'),
};

export const cline: Client = {
  name: 'cline',
  title: 'Cline',
  ways: ['openai-chat'],
  needsTools: false,
  steps: (endpoint) =>
    [
      "Cline's settings → API Provider: OpenAI Compatible",
      `  Base URL        ${endpoint.url}/v1`,
      `  API Key         ${keyOf(endpoint)}`,
      `  Model ID        ${endpoint.model}`,
      `  Context window  ${endpoint.contextTokens}`,
    ].join('\n'),
};

export const sillyTavern: Client = {
  name: 'sillytavern',
  title: 'SillyTavern',
  ways: ['openai-chat', 'openai-completions'],
  needsTools: false,
  steps: (endpoint) =>
    [
      'API Connections → API: Chat Completion → Source: Custom (OpenAI-compatible)',
      `  Custom Endpoint  ${endpoint.url}/v1`,
      `  Custom API Key   ${keyOf(endpoint)}`,
      `  Model            ${endpoint.model}`,
      'The thinking is shown apart; to have it in the text, give it a key of its own:',
      '  espalier key create sillytavern --thinking inline',
    ].join('\n'),
};

export const homeAssistant: Client = {
  name: 'home-assistant',
  title: 'Home Assistant',
  ways: ['ollama'],
  needsTools: true,
  steps: (endpoint) =>
    [
      'Settings → Devices & services → Add integration → Ollama',
      `  URL    ${endpoint.url}`,
      `  Model  ${endpoint.model}`,
      'In its options, Think before responding may stay off: answers come sooner.',
    ].join('\n'),
};

export const n8n: Client = {
  name: 'n8n',
  title: 'n8n',
  ways: ['openai-chat', 'openai-responses', 'ollama'],
  needsTools: false,
  steps: (endpoint) =>
    [
      'Credentials → Add → OpenAI',
      `  API Key   ${keyOf(endpoint)}`,
      `  Base URL  ${endpoint.url}/v1`,
      `In the OpenAI Chat Model node, choose ${endpoint.model} by its ID; with Use Responses API or without.`,
    ].join('\n'),
};
