import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CHIPS, chipOf, estimatedGpuBytes } from '../../../controller/planner/chips.ts';
import { HARDWARE_EXAMPLE, parseHardware } from '../../../controller/planner/hardware.ts';
import { GIB } from './support.ts';

/** Names with memory in GiB, then links as pairs, then the network. */
function told(text: string): string {
  const { nodes, links, otherLink } = parseHardware(text);
  const macs = nodes.map(({ name, memoryBytes }) => `${name} ${memoryBytes / GIB}`).join(', ');
  const cables = links.map(({ between, link }) => `${between.join('–')} ${link.label}`).join(', ');
  return [macs, cables, otherLink.label].filter((each) => each !== '').join(' | ');
}

test('Macs, counts and links, however they are written', () => {
  const ring =
    'm2-ultra-1–m2-ultra-2 Thunderbolt 4, m2-ultra-1–m2-ultra-3 Thunderbolt 4, m2-ultra-2–m2-ultra-3 Thunderbolt 4';
  const three = `m2-ultra-1 192, m2-ultra-2 192, m2-ultra-3 192 | ${ring} | 1GbE`;
  for (const text of [
    '3x Mac Studio M2 Ultra 192GB, thunderbolt ring',
    '3 x M2 Ultra 192 GB; Thunderbolt',
    '3× Apple M2 Ultra (192GB) with a Thunderbolt ring',
    '3 Mac Studios M2 ULTRA 192gb over TB4 ring',
    'mac studio m2 ultra 192G x3 + thunderbolt mesh',
    '192 GB M2 Ultra Mac Studio ×3, TB ring',
    '2x M2 Ultra 192GB, M2 Ultra 192GB, thunderbolt ring',
  ])
    assert.equal(told(text), three, text);
  const pair = 'm4-pro-1 64, m4-pro-2 64';
  assert.equal(told('2x M4 Pro mini 64GB'), `${pair} | 1GbE`);
  assert.equal(told('2x M4 Pro mini 64GB, 10GbE'), `${pair} | 10GbE`);
  assert.equal(told('2x M4 Pro mini 64GB, 10 Gigabit Ethernet'), `${pair} | 10GbE`);
  assert.equal(told('2x M4 Pro mini 64GB, 2.5GbE'), `${pair} | 2.5GbE`);
  assert.equal(told('2x M4 Pro mini 64GB, wi-fi'), `${pair} | Wi-Fi`);
  assert.equal(
    told('2x M4 Pro mini 64GB, thunderbolt line; wifi'),
    `${pair} | m4-pro-1–m4-pro-2 Thunderbolt 5 | Wi-Fi`,
  );
  assert.equal(told('MacBook Pro M4 Max 128GB and Mac mini M4 16GB'), 'm4-max-1 128, m4-1 16 | 1GbE');
  assert.equal(told('M3 Ultra 0.5TB'), 'm3-ultra-1 512 | 1GbE');
});

test('a cable is as fast as its slower end; a line has no cable back', () => {
  assert.equal(
    told('2x M3 Ultra 512GB + M2 Ultra 192GB, thunderbolt line'),
    'm3-ultra-1 512, m3-ultra-2 512, m2-ultra-1 192 | ' +
      'm3-ultra-1–m3-ultra-2 Thunderbolt 5, m3-ultra-2–m2-ultra-1 Thunderbolt 4 | 1GbE',
  );
  assert.equal(parseHardware('6x M2 Ultra 192GB, thunderbolt ring').links.length, 6);
  assert.equal(parseHardware('6x M2 Ultra 192GB, thunderbolt line').links.length, 5);
  assert.equal(parseHardware('6x M2 Ultra 192GB, thunderbolt mesh').links.length, 15);
  assert.equal(parseHardware('2x M2 Ultra 192GB, thunderbolt ring').links.length, 1);
});

test('the GPU may use what is said, else the estimate', () => {
  const [said] = parseHardware('M4 Pro mini 64GB limit 56GB').nodes;
  assert.deepEqual([said?.usableBytes, said?.memoryBytes], [56 * GIB, 64 * GIB]);
  assert.equal(parseHardware('M4 Pro mini 64GB').nodes[0]?.usableBytes, 48 * GIB);
  assert.equal(parseHardware('M4 mini 16GB limited to 99 GB').nodes[0]?.usableBytes, 16 * GIB);
});

test('what is not understood is named, with an example', () => {
  const refused = (text: string, message: RegExp) =>
    assert.throws(() => parseHardware(text), { code: 'bad_option', message }, text);
  const example = new RegExp(HARDWARE_EXAMPLE.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  for (const text of [
    '',
    '   ',
    ',,,',
    'foo',
    'thunderbolt ring',
    '6x',
    'M2 Ultra',
    '192GB',
    'thunderbold ring',
    '\u0000',
  ])
    refused(text, example);
  refused(
    '6x M2 Ultra, thunderbolt ring',
    /"6x M2 Ultra" is not understood: it lacks the memory \(M2 Ultra is sold with 64, 128, 192 GB\)/,
  );
  refused('2x M2 Ultra 192GB, thunderbolt star', /no star/);
  refused('0x M2 Ultra 192GB', /a number of Macs from 1 to 64/);
  for (const count of ['-3x', '1.5x', '.5x'])
    refused(`${count} M2 Ultra 192GB`, /a number of Macs from 1 to 64|is not understood/);
  for (const memory of ['0GB', '7GB', '4097GB', '99999999GB'])
    refused(`M2 Ultra ${memory}`, /a Mac's memory is from 8 GB to 4 TB/);
  refused('999999x M2 Ultra 192GB', /a number of Macs from 1 to 64/);
  refused('40x M2 Ultra 192GB + 40x M2 Ultra 192GB', /80 nodes; at most 64/);
  refused(
    '8x M2 Ultra 192GB, thunderbolt mesh',
    /needs 7 Thunderbolt ports on m2-ultra-1, and a Mac with M2 Ultra has at most 6/,
  );
  refused(`M2 Ultra 192GB, ${'x'.repeat(5_000)}`, /^.{0,600}$/);
});

test('chips by whatever names them; those that nobody knows, by a stated default', () => {
  assert.equal(chipOf('Apple M2 Ultra', 192 * GIB).bandwidthGBps, 800);
  assert.equal(chipOf('apple m4 max', 36 * GIB).bandwidthGBps, 410);
  assert.equal(chipOf('Apple M4 Max', 128 * GIB).bandwidthGBps, 546);
  assert.equal(chipOf('Apple M4', 16 * GIB).name, 'M4');
  const newer = chipOf('Apple M9 Ultra', 512 * GIB);
  assert.equal(newer.name, undefined);
  assert.ok(newer.bandwidthGBps >= 100 && newer.bandwidthGBps <= 200);
  assert.ok(chipOf('Intel(R) Xeon(R) Gold 6148 CPU', 64 * GIB).bandwidthGBps < newer.bandwidthGBps);
  assert.ok(chipOf('', 0).bandwidthGBps > 0);
  assert.ok(chipOf('Cortex-M4', GIB).bandwidthGBps > 0);
  assert.equal(estimatedGpuBytes(64 * GIB), 48 * GIB);
  assert.equal(estimatedGpuBytes(36 * GIB), Math.floor(36 * GIB * 0.66));
});

test('the table of chips: larger ones of a generation are faster in everything', () => {
  const generation = (name: string) => name.split(' ')[0] ?? '';
  for (const [i, chip] of CHIPS.entries()) {
    const next = CHIPS[i + 1];
    if (!next || generation(next.name) !== generation(chip.name)) continue;
    assert.ok(next.computeTflops > chip.computeTflops, next.name);
    assert.ok(next.bandwidthGBps > chip.bandwidthGBps, next.name);
    assert.ok(Math.max(...next.memoryGB) > Math.max(...chip.memoryGB), next.name);
  }
});
