// All clients that `espalier connect` knows, by the names that are typed.
import type { Client } from './client.ts';
import { cline, homeAssistant, n8n, openWebUi, sillyTavern } from './clients/by-hand.ts';
import { claudeCode } from './clients/claude-code.ts';
import { codex } from './clients/codex.ts';
import { continueDev } from './clients/continue.ts';
import { librechat } from './clients/librechat.ts';
import { zed } from './clients/zed.ts';

export const CLIENTS: readonly Client[] = [
  openWebUi,
  claudeCode,
  codex,
  continueDev,
  cline,
  zed,
  librechat,
  sillyTavern,
  homeAssistant,
  n8n,
];
