// When links may be measured, over a real cluster's heart: never while files travel over them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LinkQuiet } from '../../controller/link-quiet.ts';
import { Story } from './cluster/story.ts';

function setUp() {
  const story = new Story({ wantedNodes: 2 });
  const links = {
    blocked: undefined as string | undefined,
    isMeasuringFirst: false,
    setBlocked: (why: string | undefined) => {
      links.blocked = why;
    },
    setHops: () => undefined,
    stop: () => links.setBlocked('stopped'),
  };
  const quiet = new LinkQuiet(story.cluster, links);
  return { story, links, quiet, signal: new AbortController().signal };
}

test('not while a request runs, stages load or files are fetched; again as soon as all of that is over', async () => {
  const { story, links, quiet, signal } = setUp();
  const why = () => {
    quiet.update();
    return links.blocked;
  };
  story.join('a');
  assert.equal(why(), undefined);
  story.join('b');
  assert.equal(why(), 'the stages are loading');
  story.bringUp('a', 'b');
  story.requests(1);
  assert.equal(why(), 'a request runs');
  story.requests(0);
  const first = Promise.withResolvers<void>();
  const second = Promise.withResolvers<void>();
  const tasks = [first, second].map(({ promise }) => quiet.whileFetching(() => promise, signal));
  assert.equal(links.blocked, 'model files are fetched');
  first.reject(new Error('the hub is gone'));
  await assert.rejects(tasks[0] as Promise<void>, /the hub is gone/);
  assert.equal(links.blocked, 'model files are fetched');
  second.resolve();
  await tasks[1];
  assert.equal(links.blocked, undefined);
});

test('files wait for a first measurement that goes on, and not for one that cannot', async () => {
  const { links, quiet, signal } = setUp();
  links.isMeasuringFirst = true;
  const order: string[] = [];
  const fetched = quiet.whileFetching(async () => order.push('fetched'), signal);
  await new Promise(setImmediate);
  assert.equal(links.blocked, undefined);
  order.push('measured');
  links.isMeasuringFirst = false;
  await fetched;
  assert.deepEqual(order, ['measured', 'fetched']);
});

test('a pull that is cancelled waits no longer; what ends after the controller stopped lets nothing begin', async () => {
  const { links, quiet } = setUp();
  links.isMeasuringFirst = true;
  const abort = new AbortController();
  const fetched = quiet.whileFetching(async () => undefined, abort.signal);
  abort.abort(new Error('it was cancelled'));
  await assert.rejects(fetched, /it was cancelled/);
  links.isMeasuringFirst = false;
  await quiet.whileFetching(async () => quiet.stop(), new AbortController().signal);
  assert.equal(links.blocked, 'stopped');
});
