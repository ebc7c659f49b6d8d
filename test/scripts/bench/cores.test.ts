import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { distinctCores, parseCoreList, pin, pinnedCommand, takeCores } from '../../../scripts/bench/cores.ts';

test("Linux's lists of cores", () => {
  assert.deepEqual(parseCoreList('0'), [0]);
  assert.deepEqual(parseCoreList('0-2,5\n'), [0, 1, 2, 5]);
  assert.deepEqual(parseCoreList('3,8-9'), [3, 8, 9]);
  assert.deepEqual(parseCoreList(''), []);
});

test('of two threads of one physical core, only the first is taken', () => {
  const siblings = [
    [0, 4],
    [1, 5],
    [0, 4],
    [1, 5],
  ];
  assert.deepEqual(distinctCores([0, 1, 4, 5], siblings), [0, 1]);
  // as far as the machine does not say, each stands for itself
  assert.deepEqual(distinctCores([2, 3], [[], []]), [2, 3]);
});

test('a command is only wrapped where there is a core to pin it to', () => {
  assert.deepEqual(pinnedCommand({ ids: [], text: '' }, 'python', ['a']), ['python', ['a']]);
  assert.deepEqual(pinnedCommand({ ids: [1], text: '' }, 'python', ['a']), [
    'taskset',
    ['-c', '1', 'python', 'a'],
  ]);
});

/** The lists of cores that the threads of a process may use, each once. */
function allowedLists(pid: number): string[] {
  const threads = readdirSync(`/proc/${pid}/task`);
  const lists = threads.map((thread) =>
    /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8')),
  );
  return [...new Set(lists.map((list) => list?.[1] ?? ''))];
}

test('all threads of a running process are pinned, and this process is set free again', async (context) => {
  const before = process.platform === 'linux' ? allowedLists(process.pid) : [];
  const child = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1000)']);
  try {
    const cores = await takeCores();
    const [core] = cores.one.ids;
    if (core === undefined) return context.skip(cores.one.text);
    await pin(child.pid as number, cores.one);
    await pin(process.pid, cores.one);
    assert.deepEqual(allowedLists(child.pid as number), [String(core)]);
    assert.deepEqual(allowedLists(process.pid), [String(core)]);
    await cores[Symbol.asyncDispose]();
    assert.deepEqual(allowedLists(process.pid), before);
  } finally {
    child.kill('SIGKILL');
  }
});
