// The wizard's pages as pictures, of clusters of Macs and at every kind of question. UPDATE_SCREENS=1 writes them.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, test } from 'node:test';
import { Box } from 'ink';
import { cleanup, render } from 'ink-testing-library';
import { proposedChanges } from '../../../agent/checks/changes/proposals.ts';
import { readMac } from '../../../agent/checks/changes/read-mac.ts';
import type { ModelOffer } from '../../../dashboard/setup/actions.ts';
import { changeLines } from '../../../dashboard/setup/change-lines.ts';
import { offerLines, offerOptions, refusedLines } from '../../../dashboard/setup/model-lines.ts';
import { stepsFor } from '../../../dashboard/setup/order.ts';
import { EMPTY_PAGE, type Page } from '../../../dashboard/setup/page.ts';
import { pullLines } from '../../../dashboard/setup/pull-lines.ts';
import { cablingLines } from '../../../dashboard/setup/steps/cabling.ts';
import { type Line, linesOf } from '../../../dashboard/setup/talk.ts';
import { SetupScreen } from '../../../dashboard/setup/views/setup-screen.tsx';
import type { PullProgress } from '../../../protocol/models.ts';
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

const PULL: PullProgress = {
  id: 'one',
  kind: 'pull',
  model: 'mlx-community/DeepSeek-R1-0528-4bit',
  asked: 'mlx-community/DeepSeek-R1-0528-4bit',
  commit: '0'.repeat(40),
  state: 'pulling',
  failure: null,
  damaged: ['model-00007-of-00072.safetensors on studio-2'],
  totalBytes: 377.6e9,
  doneBytes: 94.4e9,
  hubBytes: 70e9,
  copiedBytes: 9e6,
  bytesPerSecond: 48e6,
  remainingSeconds: 5_900,
  nodes: [
    {
      nodeId: 'a',
      node: 'studio-1',
      totalBytes: 189e9,
      doneBytes: 47.2e9,
      files: 40,
      filesDone: 12,
      active: [
        {
          path: 'model-00013-of-00072.safetensors',
          sizeBytes: 5.3e9,
          doneBytes: 3e9,
          from: 'hub',
          waits: null,
        },
        {
          path: 'model-00014-of-00072.safetensors',
          sizeBytes: 5.3e9,
          doneBytes: 1e9,
          from: 'hub',
          waits: 'answers 429 (Too Many Requests)',
        },
      ],
      waits: null,
    },
    {
      nodeId: 'b',
      node: 'studio-2',
      totalBytes: 188.6e9,
      doneBytes: 47.2e9,
      files: 39,
      filesDone: 11,
      active: [],
      waits: 'waits for its turn, or for a node to come back',
    },
    {
      nodeId: 'c',
      node: 'studio-3',
      totalBytes: 4e6,
      doneBytes: 4e6,
      files: 5,
      filesDone: 5,
      active: [],
      waits: null,
    },
  ],
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

describe('models', () => {
  const offer: ModelOffer = {
    name: 'mlx-community/DeepSeek-R1-0528-4bit',
    place: 'hub',
    sizeBytes: 377.6e9,
    quantization: '4-bit',
    licence: 'mit',
    predicted: 17.3,
    refused: null,
  };
  const offers: ModelOffer[] = [
    offer,
    {
      ...offer,
      name: 'mlx-community/DeepSeek-R1-Distill-Llama-70B-8bit',
      place: 'partial',
      sizeBytes: 75e9,
      quantization: '8-bit',
      licence: 'mit, and llama3.3',
      predicted: 9.1,
    },
    {
      ...offer,
      name: '/Users/ann/models/mine',
      place: 'local',
      sizeBytes: 8.1e9,
      licence: null,
      predicted: 88,
    },
    { ...offer, name: 'espalier-demo', place: 'deployed', sizeBytes: 4.7e6, licence: null, predicted: 450 },
    {
      ...offer,
      name: 'mlx-community/DeepSeek-R1-8bit',
      sizeBytes: 713e9,
      predicted: null,
      refused: 'its weights take 664.0 GiB, and all nodes together can use 480.0 GiB',
    },
  ];
  const ask = {
    kind: 'choice' as const,
    question: 'Which model? Speeds are of one stream, and predicted.',
    options: [{ value: 'other', label: 'another one of the hub, or a folder' }, ...offerOptions(offers)],
    selected: 1,
  };
  const disks = [
    { node: 'studio-1', needBytes: 189e9, heldBytes: 0, freeBytes: 1.2e12 },
    { node: 'studio-2', needBytes: 188.6e9, heldBytes: 40e9, freeBytes: 99e9 },
  ];

  for (const [columns, rows] of [
    [80, 24],
    [60, 16],
  ] as const) {
    test(`the list, the one that was chosen, and its pull on ${columns}x${rows}`, () => {
      const at = (name: string) => `${name}-${columns}x${rows}`;
      assertScreen(
        at('model-list'),
        { step: 'model', lines: linesOf(['What could answer.']), ask },
        columns,
        rows,
      );
      const lines = offerLines(offer, { text: 'On paper: R1, on 2 nodes', disks });
      const options = ['yes, bring about 337.6 GB to the nodes and deploy it', 'no, choose another one'];
      const take = {
        kind: 'choice' as const,
        question: 'Take this one?',
        options: options.map((label) => ({ value: label, label })),
        selected: 0,
      };
      assertScreen(at('model-chosen'), { step: 'model', lines, ask: take }, columns, rows);
      const busy = {
        kind: 'busy' as const,
        what: 'Bringing mlx-community/DeepSeek-R1-0528-4bit to the nodes',
      };
      assertScreen(at('pull'), { step: 'pull', lines: pullLines(PULL), ask: busy }, columns, rows);
    });
  }

  test('one that does not fit says why', () => {
    const [, , , , big] = offers;
    assert.ok(big);
    assertScreen('model-refused', { step: 'model', lines: refusedLines(big) }, 80, 24);
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
