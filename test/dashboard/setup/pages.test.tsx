// The wizard's pages as pictures, of clusters of Macs and at every kind of question. UPDATE_SCREENS=1 writes them.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, test } from 'node:test';
import { Box } from 'ink';
import { cleanup, render } from 'ink-testing-library';
import { proposedChanges } from '../../../agent/checks/changes/proposals.ts';
import { readMac } from '../../../agent/checks/changes/read-mac.ts';
import { changeLines } from '../../../dashboard/setup/change-lines.ts';
import { stepsFor } from '../../../dashboard/setup/order.ts';
import { EMPTY_PAGE, type Page } from '../../../dashboard/setup/page.ts';
import { cablingLines } from '../../../dashboard/setup/steps/cabling.ts';
import type { Line } from '../../../dashboard/setup/talk.ts';
import { SetupScreen } from '../../../dashboard/setup/views/setup-screen.tsx';
import { commandsOf } from '../../../scripts/system-changes/change-system.ts';
import { FakeMac } from '../../support/fake-mac.ts';
import { projectDir } from '../../support/paths.ts';
import { QUIET_LINKS, SCENES, sceneMac, sceneStatus } from './scenes.ts';

afterEach(cleanup);

const CHOICE = {
  kind: 'choice' as const,
  question: 'Change cables as long as you like: this page follows.',
  options: [{ value: 'on', label: 'go on' }],
  selected: 0,
};

function assertScreen(name: string, page: Partial<Page>, columns = 100, rows = 34): void {
  const whole: Page = { ...EMPTY_PAGE, steps: stepsFor('controller'), ...page };
  const app = render(
    <Box width={columns}>
      <Box flexGrow={1} flexDirection="column">
        <SetupScreen page={whole} size={{ columns, rows }} colours={false} />
      </Box>
    </Box>,
  );
  const frame = app.lastFrame() ?? '';
  const text = `${frame
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')}\n`;
  const file = join(projectDir, 'test', 'dashboard', 'setup', 'screens', `${name}.txt`);
  if (process.env.UPDATE_SCREENS === '1') writeFileSync(file, text);
  assert.equal(text, readFileSync(file, 'utf8'));
}

describe('cabling', () => {
  for (const [name, scene] of Object.entries(SCENES)) {
    test(name, () => {
      const lines = cablingLines(sceneStatus(scene), QUIET_LINKS);
      assertScreen(`cabling-${name}`, { step: 'cabling', lines, ask: CHOICE });
    });
  }

  test('what was measured tells of more', () => {
    const findings = [
      {
        id: 'local-network x',
        severity: 'error' as const,
        text: 'studio-2 may not reach any address of its own networks: it looks like Local Network privacy',
        fix: 'On studio-2: System Settings → Privacy & Security → Local Network',
      },
    ];
    const links = { ...QUIET_LINKS, waiting: 1, findings };
    const lines = cablingLines(sceneStatus(SCENES['two-studios']), links);
    assertScreen('cabling-findings', { step: 'cabling', lines, ask: CHOICE });
  });
});

describe('changes of the system', () => {
  const proposed = async (mac: FakeMac): Promise<Line[]> => {
    const home = '/Users/ann/.espalier';
    const found = proposedChanges({ facts: mac.facts(), ...(await readMac(mac)), home, nodePath: '/n/node' });
    return found.flatMap((change) =>
      changeLines({
        change: { ...change, needsRoot: false },
        commands: commandsOf({ ...change, needsRoot: false }, true),
      }),
    );
  };
  const ask = {
    kind: 'choice' as const,
    question: 'Change it?',
    options: ['yes', 'no', 'yes, and the 2 others too'].map((label) => ({ value: label, label })),
    selected: 1,
  };

  test('a fresh Mac', async () => {
    const mac = new FakeMac(1, {
      acPower: { sleep: 10, disksleep: 10, womp: 0, autorestart: 0 },
      firewall: { state: 1 },
    });
    assertScreen('system-fresh', { step: 'system', lines: await proposed(mac), ask });
  });

  test('a bridge in a ring, on a narrow terminal, scrolled', async () => {
    const lines = await proposed(sceneMac(SCENES['bridge-loop'], 1));
    assertScreen('system-bridge-60x20', { step: 'system', lines, ask, offset: 6 }, 60, 20);
  });
});

test('a text is typed; something takes its time; a small window', () => {
  const typed = {
    kind: 'text' as const,
    question: 'The code that studio-2 shows (eight digits)',
    text: '1234-5',
  };
  const lines = [{ text: '○ studio-2  at 192.168.1.21:7118, waits to be let in', tone: 'warn' as const }];
  assertScreen('nodes-code-60x16', { step: 'nodes', lines, ask: typed }, 60, 16);
  const busy = { kind: 'busy' as const, what: 'Pairing with studio-2' };
  assertScreen('nodes-busy-60x16', { step: 'nodes', lines, ask: busy }, 60, 16);
});
