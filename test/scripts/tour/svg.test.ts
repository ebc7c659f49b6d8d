import assert from 'node:assert/strict';
import { test } from 'node:test';
import { movingSvg } from '../../../scripts/tour/svg.ts';

test('each picture has its time, each run of one style its place; nothing of a terminal is left', () => {
  const svg = movingSvg(
    [
      { lines: ['\u001b[1mEspalier\u001b[0m  a < b & c', '\u001b[32m●\u001b[39m ok'], seconds: 1 },
      { lines: ['\u001b[7mchosen\u001b[27m'], seconds: 3 },
    ],
    40,
    2,
  );
  assert.equal(svg.match(/<g class="p"/g)?.length, 2);
  assert.match(svg, /@keyframes p1\{0%\{opacity:0\}25\.000%\{opacity:1\}\}/);
  assert.match(svg, /font-weight="bold">Espalier<\/text>/);
  assert.match(svg, /> {2}a &lt; b &amp; c<\/text>/);
  assert.match(svg, /style="fill:#8ccf7e">●<\/text>/);
  assert.match(svg, /<rect [^>]*fill="#d7dae0"\/><text [^>]*>chosen</);
  assert.ok(!svg.includes('\u001b'));
});
