// Links with real agents' ends: three probe hosts on this machine, whose words go to and fro as over control connections.
import assert from 'node:assert/strict';
import { afterEach, before, beforeEach, describe, test } from 'node:test';
import { pino } from 'pino';
import { ProbeHost } from '../../../agent/probe/probe-host.ts';
import type { HopPath } from '../../../controller/links/hop-path.ts';
import { Links } from '../../../controller/links/links.ts';
import type { Identity } from '../../../protocol/identity.ts';
import { LinksReport } from '../../../protocol/links.ts';
import type { ProbeCommand, ProbeEvent } from '../../../protocol/probe.ts';
import { newIdentity } from '../../support/identities.ts';
import { until } from '../../support/until.ts';

const IDS = ['a', 'b', 'c'];

describe('links', () => {
  let keys: Map<string, Identity>;
  let hosts: Map<string, ProbeHost>;
  let links: Links;
  let ticker: NodeJS.Timeout;
  let changes: { paths: readonly HopPath[]; isPending: boolean }[];
  let sent: { nodeId: string; command: ProbeCommand }[];
  let deaf: string | undefined;

  before(async () => {
    keys = new Map(await Promise.all(IDS.map(async (id) => [id, await newIdentity()] as const)));
  });
  const keyOf = (id: string) => keys.get(id) ?? assert.fail(id);
  beforeEach(() => {
    const log = pino({ level: 'silent' });
    [changes, sent, deaf] = [[], [], undefined];
    const hear = (id: string) => (event: ProbeEvent) => setImmediate(() => links.receive(id, event));
    hosts = new Map(IDS.map((id) => [id, new ProbeHost('127.0.0.1', keyOf(id), log, hear(id))]));
    links = new Links(
      (nodeId, command) => {
        sent.push({ nodeId, command });
        if (nodeId !== deaf) hosts.get(nodeId)?.handle(command);
      },
      {
        onChange: (paths, isPending) => changes.push({ paths, isPending }),
        onFinding: () => undefined,
      },
      log,
    );
    ticker = setInterval(() => links.tick(), 10);
  });
  afterEach(() => {
    clearInterval(ticker);
    links.stop();
    for (const host of hosts.values()) host.stop();
  });

  const join = (...ids: string[]) => {
    for (const id of ids) {
      const { fingerprint } = keyOf(id);
      links.addNode({ id, name: `mac-${id}`, fingerprint, host: '127.0.0.1' });
    }
  };
  const isMeasured = () => links.report().waiting === 0 && links.report().measuring === null;

  test('every pair is measured, one at a time, and the ways of hops are told', async () => {
    join(...IDS);
    assert.equal(links.report().waiting, 3);
    await until(isMeasured, 'all measurements');
    const report = LinksReport.parse(links.report());
    assert.equal(report.pairs.length, 3);
    for (const { paths, isSameMachine } of report.pairs) {
      assert.ok(isSameMachine);
      assert.equal(paths.length, 1);
      assert.ok((paths[0]?.there?.gbps ?? 0) > 0 && (paths[0]?.back?.gbps ?? 0) > 0);
    }
    const ways = changes.at(-1)?.paths.map(({ from, to }) => from + to) ?? [];
    assert.deepEqual(ways.toSorted(), ['ab', 'ac', 'ba', 'bc', 'ca', 'cb']);

    // between the two directions of one pair no other pair is measured
    const order = sent.flatMap(({ command }) => (command.kind === 'probe-measure' ? [command.probeId] : []));
    assert.equal(order.length, 6);
    for (let i = 0; i < 6; i += 2) assert.equal(order[i], order[i + 1]);
    for (const id of new Set(order)) {
      const stops = sent.filter(({ command }) => command.kind === 'probe-stop' && command.probeId === id);
      assert.equal(stops.length, 2, 'both agents are told that it is over');
    }
  });

  test('a request ends what is measured, and it is done afterwards', async () => {
    join('a', 'b');
    await until(() => sent.some(({ command }) => command.kind === 'probe-measure'), 'a measurement');
    links.setBlocked('a request runs');
    await until(() => sent.some(({ command }) => command.kind === 'probe-stop'), 'its end');
    assert.deepEqual(
      [links.report().waiting, links.report().blocked, links.report().pairs[0]?.measuredAt],
      [1, 'a request runs', null],
    );
    links.setBlocked(undefined);
    await until(isMeasured, 'the measurement');
    assert.equal(links.report().pairs[0]?.paths.length, 1);
  });

  test('an agent that does not answer costs its pair a deadline, and is named', async () => {
    deaf = 'b';
    join('a', 'b', 'c');
    await until(isMeasured, 'what can be measured');
    const pairs = new Map(links.report().pairs.map((pair) => [pair.a.id + pair.b.id, pair]));
    assert.equal(pairs.get('ac')?.paths.length, 1);
    for (const key of ['ab', 'bc']) {
      assert.match(pairs.get(key)?.failure ?? '', /^mac-b did not answer probe-listen within \d/);
    }
  });

  test('a node that goes in the middle takes its measurement along', async () => {
    join('a', 'b');
    await until(() => sent.some(({ command }) => command.kind === 'probe-measure'), 'a measurement');
    links.removeNode('b');
    await until(() => sent.some(({ command }) => command.kind === 'probe-stop'), 'its end');
    assert.deepEqual([links.report().pairs, changes.at(-1)?.paths ?? []], [[], []]);
    join('b');
    await until(() => links.report().pairs[0]?.paths.length === 1, 'its measurement after it is back');
  });

  test('all of them again, when somebody asks', async () => {
    join('a', 'b');
    await until(isMeasured, 'the first measurement');
    const first = links.report().pairs[0]?.measuredAt ?? 0;
    links.measureAgain();
    assert.equal(links.report().waiting, 1);
    await until(isMeasured, 'the second');
    assert.ok((links.report().pairs[0]?.measuredAt ?? 0) > first);
  });
});
