import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { projectDir } from '../../support/paths.ts';
import { startApi, sum } from './api-under-test.ts';

test('the Grafana dashboard draws nothing but what is counted', async (t) => {
  const api = await startApi(t);
  await api.ask({ messages: sum.messages });
  const metrics = await (await fetch(`${api.url}/metrics`)).text();
  const known = new Set([...metrics.matchAll(/^# TYPE (\w+)/gm)].map(([, name]) => name));
  const dashboard = readFileSync(join(projectDir, 'docs', 'grafana-dashboard.json'), 'utf8');
  const drawn = [
    ...new Set([...dashboard.matchAll(/espalier_\w+/g)].map(([name]) => name.replace(/_bucket$/, ''))),
  ];
  assert.ok(drawn.length > 10);
  for (const name of drawn) assert.ok(known.has(name), `${name} is drawn, but not counted`);
});
