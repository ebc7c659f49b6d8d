// Ten thousand damaged outputs and more: no parser throws, and what comes of them is always a record that the schema
// takes. A parser that took very long would run into the tests' deadline.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { factsOfLinux } from '../../../agent/facts/linux/assemble.ts';
import type { LinuxFiles } from '../../../agent/facts/linux/files.ts';
import { factsOfMac, type MacAnswers } from '../../../agent/facts/mac/assemble.ts';
import { FactNote, MachineFacts } from '../../../protocol/facts.ts';
import { MAX_CONTROL_MESSAGE_BYTES } from '../../../protocol/limits.ts';
import { projectDir } from '../../support/paths.ts';
import { randomNumbers } from '../../support/sampling.ts';
import { mutate, pick } from './mutate.ts';
import { fixture, LINUX_PARSERS, MAC_PARSERS, macCommandNames, studioAnswers } from './support.ts';

const RECORDS = 450;

/** The project's own outputs, and recorded ones where there are some. */
function seeds(): string[] {
  const own = Object.values(studioAnswers().commands).map((answer) => answer.text);
  own.push(fixture('laptop', 'thunderbolt'), fixture('laptop', 'hardware'));
  const recorded = join(projectDir, '../shared/macos');
  if (!existsSync(recorded)) return own;
  const files = readdirSync(recorded, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  return [...own, ...files.map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'utf8'))];
}

describe('damaged outputs', () => {
  test(`${RECORDS} Macs of which every output is damaged: a record each time`, () => {
    const random = randomNumbers(5);
    const others = seeds();
    let mutated = 0;
    for (let round = 0; round < RECORDS; round += 1) {
      const answers: MacAnswers = studioAnswers();
      for (const name of macCommandNames) {
        const answer = answers.commands[name];
        if (!answer) continue;
        answer.text = mutate(answer.text, others, random);
        mutated += 1;
      }
      answers.serviceInfo['Cable to studio-2'] = {
        text: mutate(fixture('studio', 'serviceInfo'), others, random),
      };
      const facts = factsOfMac(answers, round % 3 === 0 ? 2 ** 40 : null);
      const checked = MachineFacts.safeParse(facts);
      assert.ok(checked.success, `round ${round}: ${checked.error?.message}`);
      assert.deepEqual(checked.data, facts);
      assert.ok(Buffer.byteLength(JSON.stringify(facts)) < MAX_CONTROL_MESSAGE_BYTES / 4);
    }
    assert.ok(mutated >= 9_900, String(mutated));
  });

  test('10,000 damaged outputs through all parsers, also those of other commands', () => {
    const random = randomNumbers(6);
    const texts = seeds();
    const parsers = [...Object.values(MAC_PARSERS), ...Object.values(LINUX_PARSERS)];
    for (let round = 0; round < 10_000; round += 1) {
      const text = mutate(pick(texts, random), texts, random).slice(0, 50_000);
      for (const parse of parsers) {
        const { notes } = parse(text);
        for (const note of notes.slice(0, 5))
          assert.ok(FactNote.safeParse(note).success, JSON.stringify(note));
      }
    }
  });

  test('damaged files of Linux', () => {
    const random = randomNumbers(7);
    const others = seeds();
    const damage = (text: string) => mutate(text, others, random);
    for (let round = 0; round < 300; round += 1) {
      const files: LinuxFiles = {
        files: {
          cpuinfo: damage('processor\t: 0\nmodel name\t: Some CPU @ 2.00GHz\n'),
          meminfo: damage('MemTotal:       24684096 kB\nMemAvailable:   23698000 kB\n'),
          osRelease: damage('NAME="Debian GNU/Linux"\nVERSION_ID="12"\n'),
          kernel: damage('6.18.44\n'),
          productName: damage('Some Machine\n'),
          routes: damage(
            'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n' +
              'eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n',
          ),
        },
        interfaces: Array.from({ length: Math.floor(random() * 80) }, () => ({
          name: damage('eth0'),
          files: {
            mtu: damage('1500\n'),
            flags: damage('0x1003\n'),
            operstate: damage('up\n'),
            speed: damage('10000\n'),
            type: damage('1\n'),
            uevent: damage('DEVTYPE=wlan\nINTERFACE=wlan0\n'),
            'statistics/rx_bytes': damage('123\n'),
            'statistics/tx_bytes': damage('456\n'),
          },
          bridgeMembers: random() < 0.3 ? [damage('eth1'), 'eth2'] : undefined,
        })),
        power: [
          { type: damage('Battery\n'), status: damage('Discharging\n'), power_now: damage('12000000\n') },
        ],
      };
      const checked = MachineFacts.safeParse(factsOfLinux(files, new Map()));
      assert.ok(checked.success, `round ${round}: ${checked.error?.message}`);
    }
  });
});
