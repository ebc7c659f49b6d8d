// Six "Macs" on a 1 Gbit/s switch, joined in a row by 10 Gbit/s cables: the ring's last cable is missing. Real agents
// measure the links, the hops take the fast ones, and a cable that is pulled is noticed and avoided.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { execa } from 'execa';
import { isAlive } from '../../protocol/home-lock.ts';
import type { LinkPath, LinksReport } from '../../protocol/links.ts';
import type { ClusterStatus } from '../../protocol/status.ts';
import type { Mac } from '../../scripts/lab/lab.ts';
import type { LabCluster } from '../../scripts/lab/lab-cluster.ts';
import { BEFORE, NEXT, type SixMacs, sixMacs } from '../../scripts/lab/six-macs.ts';
import { until } from '../support/until.ts';
import { skipLab } from './skip-lab.ts';

const TIMEOUT_MS = 120_000;
const LOOK_AGAIN_MS = 10_000;

const skip = await skipLab();

describe('six Macs, a switch and five cables', { skip, timeout: 2 * TIMEOUT_MS }, () => {
  let scene: SixMacs;
  let cluster: LabCluster;
  /** the Mac whose cable to the next one is pulled */
  let pulled = 2;

  before(async () => {
    scene = await sixMacs();
    cluster = scene.cluster;
  });
  after(() => scene?.remove());

  /** What the controller says once something holds; what all processes said when it never does. */
  async function when(
    what: string,
    holds: (status: ClusterStatus, links: LinksReport) => boolean,
  ): Promise<{ status: ClusterStatus; links: LinksReport }> {
    let seen: { status: ClusterStatus; links: LinksReport } | undefined;
    const look = async () => {
      try {
        seen = { status: await cluster.status(), links: await cluster.links() };
      } catch {
        return false; // the controller is starting
      }
      return holds(seen.status, seen.links);
    };
    await until(look, what, TIMEOUT_MS).catch((error) => {
      const { state, reason, events } = seen?.status ?? {};
      const told = events?.map(({ text }) => text).join('\n');
      const way = ({ from, there, back }: LinkPath) =>
        `${from.interface} ${there?.gbps.toFixed(1)} ${back?.gbps.toFixed(1)}`;
      const ways = seen?.links.pairs.map(
        ({ a, b, paths }) => `${a.name} ${b.name}: ${paths.map(way).join(', ')}`,
      );
      const taken = seen && hops(seen.status).join(', ');
      throw new Error(
        `${error.message}: ${state}, ${reason}; ${taken}\n${ways?.join('\n')}\n${told}\n${cluster.log.slice(-4_000)}`,
      );
    });
    return seen as { status: ClusterStatus; links: LinksReport };
  }

  /**
   * Each stage's hop from the stage before it, with the interfaces at both ends: `studio-1>studio-2 en0>en0`. The stages may
   * be in any order that is as good as by name: which way round they go, a measurement's noise decides.
   */
  function hops({ stages }: ClusterStatus): string[] {
    return stages.map(({ node, hop }, index) => {
      const before = stages.at(index - 1)?.node;
      return `${before}>${node} ${hop?.fromInterface}>${hop?.toInterface}`;
    });
  }

  /** What each hop of a status must be: over the cable between neighbours that have one, otherwise over the switch. */
  function fastHops({ stages }: ClusterStatus, isPulled: (low: number) => boolean = () => false): string[] {
    return stages.map(({ node }, index) => {
      const before = stages.at(index - 1)?.node as string;
      const [x, y] = [before, node].map((name) => Number(name.at(-1))) as [number, number];
      const hasCable = Math.abs(x - y) === 1 && !isPulled(Math.min(x, y));
      const up = x < y ? `${NEXT}>${BEFORE}` : `${BEFORE}>${NEXT}`;
      return `${before}>${node} ${hasCable ? up : 'en0>en0'}`;
    });
  }

  const isFast = (status: ClusterStatus) => hops(status).join() === fastHops(status).join();

  /** The lower number of two Macs whose cable a hop takes: in the middle of the row where it does. */
  function cabled(status: ClusterStatus): number {
    const lows = hops(status)
      .filter((hop) => hop.includes('thunderbolt'))
      .map((hop) => Math.min(...[...hop.matchAll(/studio-(\d)/g)].map(([, number]) => Number(number))));
    return lows.includes(2) ? 2 : (lows[0] ?? assert.fail('no hop takes a cable'));
  }

  const overCables = (list: readonly string[]) => list.filter((hop) => hop.includes('thunderbolt')).length;

  const order = ({ stages }: ClusterStatus) => stages.map(({ node }) => node);

  async function ask(): Promise<string> {
    const messages = [{ role: 'user', content: "How many r's are in strawberry?" }];
    const answer = JSON.parse(await cluster.fetch('/v1/chat/completions', { messages, temperature: 0 }));
    return answer.choices?.[0]?.message.content ?? JSON.stringify(answer);
  }

  /** A machine with much else to do may measure too little at first: then it is asked to again, as a person would. */
  function measuringUntil(
    what: string,
    holds: (status: ClusterStatus, links: LinksReport) => boolean,
  ): Promise<{ status: ClusterStatus; links: LinksReport }> {
    let askedAt = performance.now();
    return when(what, (status, links) => {
      if (holds(status, links)) return true;
      if (links.waiting === 0 && performance.now() - askedAt > LOOK_AGAIN_MS) {
        askedAt = performance.now();
        void cluster.cli('links', '--measure').catch(() => undefined);
      }
      return false;
    });
  }

  test('the fast path between each two is found, and the hops take it', async () => {
    const isComplete = ({ pairs }: LinksReport) =>
      pairs
        .flatMap(({ paths }) => paths.filter(({ from }) => from.interface !== 'en0'))
        .filter(({ there, back }) => there && back).length ===
      scene.macs.length - 1;
    const { status, links } = await measuringUntil(
      'a cluster whose hops take the cables',
      (seen, report) => isComplete(report) && seen.state === 'serving' && isFast(seen),
    );
    assert.equal(links.pairs.length, 15);
    const name = ({ from, to }: LinkPath) => `${from.interface}-${to.interface}`;
    for (const { a, b, paths } of links.pairs) {
      const [x, y] = [a, b].map((node) => Number(node.name.at(-1))) as [number, number];
      const cable = x < y ? `${NEXT}-${BEFORE}` : `${BEFORE}-${NEXT}`;
      const expected = Math.abs(x - y) === 1 ? [cable, 'en0-en0'] : ['en0-en0'];
      assert.deepEqual(paths.map(name), expected, `${a.name} and ${b.name}`);
      for (const { from, there, back } of paths) {
        assert.ok(there && back, 'both directions work');
        assert.deepEqual([there.carriedBy, there.kind], [from.interface, from.kind]);
        // the switch is not faster than it is, but for what fits into its bucket
        if (from.interface === 'en0')
          assert.ok(Math.max(there.gbps, back.gbps) < 1.2, `${there.gbps} ${back.gbps}`);
      }
    }
    assert.equal(status.stages.length, scene.macs.length);
    // where all round trips are shorter than what plans tell apart, no order is better than that of the cables
    const isQuiet = links.pairs.every(({ paths }) =>
      paths.every(({ there, back }) => Math.max(there?.smallRttP50Us ?? 0, back?.smallRttP50Us ?? 0) < 250),
    );
    const used = overCables(hops(status));
    assert.ok(used === scene.macs.length - 1 || (!isQuiet && used > 0), hops(status).join(', '));
    // not only said: the hop's socket has the cable's addresses
    const low = cabled(status);
    const sockets = await scene.lab.run(scene.macs[low] as Mac, 'ss', '-tnH', 'state', 'established');
    assert.match(
      sockets,
      new RegExp(`\\[fe80::${low + 1}:2\\]%thunderbolt1:\\d+ +\\[fe80::${low}:1\\]:\\d+`),
    );
    assert.match(await ask(), /\*\*3\*\*/);
  });

  test('two interfaces in 169.254/16 are a finding, and do not matter', async () => {
    const { findings } = await cluster.links();
    const shared = findings.filter(({ id }) => id.startsWith('shared-link-local'));
    assert.deepEqual(
      shared.map(({ text, severity }) => [severity, text.split(' ')[0]]).sort(),
      [2, 3, 4, 5].map((number) => ['info', `studio-${number}`]),
    );
  });

  test('a cable that is pulled is a finding, and the next plan avoids it', async () => {
    const before = await cluster.status();
    pulled = cabled(before);
    const pair = `studio-[${pulled}${pulled + 1}]`;
    await scene.lab.setCable(scene.plug(pulled, NEXT), false);
    const { status, links } = await when(
      'a new deployment',
      ({ state, epoch }) => state === 'serving' && epoch > before.epoch,
    );
    const gone = links.findings.find(({ id }) => id.startsWith('path-gone'));
    const text = new RegExp(`the thunderbolt path between ${pair} .* and ${pair} .* went away`);
    assert.match(gone?.text ?? '', text);
    assert.deepEqual(
      hops(status),
      fastHops(status, (low) => low === pulled),
    );
    // another order would be no faster, and each stage would have to load other layers
    assert.deepEqual(order(status), order(before));
    const why = new RegExp(`^the link from ${pair} to ${pair} is gone`);
    assert.ok(status.events.some((event) => why.test(event.text)));
    assert.match(await ask(), /\*\*3\*\*/);

    assert.match(
      await cluster.cli('links'),
      /^! the thunderbolt path between studio-\d .*\n {2}→ Look at the cable/m,
    );
    assert.match(
      await cluster.cli('status'),
      /^Links \(`espalier links` says what to do\)\n! the thunderbolt path/m,
    );
  });

  test('plugged in again it is measured again, and the hop takes it as soon as nobody is disturbed', async () => {
    const before = await cluster.status();
    const end = scene.plug(pulled, NEXT);
    await scene.lab.setCable(end, true);
    await scene.lab.addAddress(end, scene.linkLocal6(end)); // the kernel forgets it with the link
    const { links } = await measuringUntil(
      'a deployment over the cable',
      (seen, { findings }) =>
        seen.state === 'serving' &&
        seen.epoch > before.epoch &&
        isFast(seen) &&
        !findings.some(({ id }) => id.startsWith('path-gone')),
    );
    assert.ok(!links.findings.some(({ id }) => id.startsWith('hop-slow')));
    assert.match(await ask(), /\*\*3\*\*/);
  });
});

test('a lab ends with its process, however that ends', { skip }, async () => {
  const labFile = new URL('../../scripts/lab/lab.js', import.meta.url).href;
  const script = `
    import { Lab } from ${JSON.stringify(labFile)};
    const lab = new Lab();
    const macs = [await lab.addMac('a'), await lab.addMac('b')];
    await lab.joinSwitch({ mac: macs[0], interface: 'en0' }, 1);
    console.log(JSON.stringify(macs.map(({ pid }) => pid)));
    process.kill(process.pid, 'SIGKILL');`;
  const child = await execa(process.execPath, ['--input-type=module', '--eval', script], {
    reject: false,
    timeout: 30_000,
  });
  assert.equal(child.signal, 'SIGKILL');
  const pids: number[] = JSON.parse(child.stdout);
  assert.equal(pids.length, 2);
  await until(() => pids.every((pid) => !isAlive(pid)), 'the end of the namespaces');
});
