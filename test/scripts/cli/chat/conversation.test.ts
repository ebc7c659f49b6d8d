import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { afterEach, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { converse } from '../../../../scripts/cli/chat/conversation.ts';
import { answer, type ChatServer, chunk, type Reply, refusal, startChatServer } from '../chat-server.ts';

const DEADLINE_MS = 20_000;
const CTRL_C = '\u0003';
const CTRL_D = '\u0004';

const servers: ChatServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

/** A conversation at a terminal made of two streams: keys go in, all that would be seen comes out. */
async function start(...replies: Reply[]) {
  const server = await startChatServer(...replies);
  servers.push(server);
  const keyboard = new PassThrough();
  const screen = Object.assign(new PassThrough(), { isTTY: true });
  const interrupts = new Set<() => void>();
  let seen = '';
  let read = 0;
  screen.on('data', (text) => (seen += text));
  const ended = converse({
    controllerUrl: server.url,
    settings: {},
    output: { stdout: screen, stderr: screen, thinking: false },
    input: keyboard,
    screen,
    onInterrupt(listener) {
      interrupts.add(listener);
      return () => interrupts.delete(listener);
    },
  });
  return {
    server,
    ended,
    type: (keys: string) => keyboard.write(keys),
    /** Ctrl-C while an answer runs is a signal, not a key */
    interrupt() {
      assert.equal(interrupts.size, 1);
      for (const listener of interrupts) listener();
    },
    /** Waits until this text has come after the last one that was waited for. */
    async sees(text: string) {
      const deadline = Date.now() + DEADLINE_MS;
      while (!seen.includes(text, read)) {
        if (Date.now() > deadline)
          assert.fail(`"${text}" did not come after: ${JSON.stringify(seen.slice(read))}`);
        await delay(5);
      }
      read = seen.indexOf(text, read) + text.length;
    },
  };
}

/** An answer that begins and then waits for ever. */
const endless: Reply = (response) => {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.write(chunk({ content: 'begun' }));
};

test('answers join the conversation, their thinking does not', async () => {
  const chat = await start(answer(['hm'], ['One.']), answer(['hm'], ['Two.']));
  await chat.sees('> ');
  chat.type('first\r');
  await chat.sees('Thinking…');
  await chat.sees('…done thinking.');
  await chat.sees('One.\n\n');
  await chat.sees('> ');
  chat.type('second\r');
  await chat.sees('Two.');
  await chat.sees('> ');
  chat.type(CTRL_D);
  await chat.ended;
  assert.deepEqual(chat.server.requests[1]?.messages, [
    { role: 'user', content: 'first' },
    { role: 'assistant', content: 'One.' },
    { role: 'user', content: 'second' },
  ]);
});

test('an answer that fails is explained, and leaves no trace in the conversation', async () => {
  const chat = await start(refusal(503, 'stage 2 loads: wait until it serves'), answer([], ['Yes.']));
  await chat.sees('> ');
  chat.type('first\r');
  await chat.sees('stage 2 loads: wait until it serves');
  await chat.sees('> ');
  chat.type('second\r');
  await chat.sees('Yes.');
  await chat.sees('> ');
  chat.type(CTRL_D);
  await chat.ended;
  assert.deepEqual(chat.server.requests[1]?.messages, [{ role: 'user', content: 'second' }]);
});

test('Ctrl-C stops the answer, which goes on from what was said; a second one leaves', async () => {
  const chat = await start(endless, endless);
  await chat.sees('> ');
  chat.type('first\r');
  await chat.sees('begun');
  chat.interrupt();
  await chat.sees('(stopped; Ctrl-C again leaves)');
  await chat.sees('> ');
  chat.type('second\r');
  await chat.sees('begun');
  chat.interrupt();
  await chat.sees('> ');
  chat.type(CTRL_C);
  await chat.ended;
  assert.equal(chat.server.requests[1]?.messages.length, 3);
});

test('at the prompt Ctrl-C clears what was typed, and leaves at the second press on an empty line', async () => {
  const chat = await start(answer([], ['Yes.']));
  await chat.sees('> ');
  chat.type('nonsense');
  await chat.sees('nonsense');
  chat.type(CTRL_C);
  await chat.sees('> ');
  chat.type('question\r');
  await chat.sees('Yes.');
  await chat.sees('> ');
  assert.deepEqual(chat.server.requests[0]?.messages, [{ role: 'user', content: 'question' }]);
  chat.type(CTRL_C);
  await chat.sees('(Ctrl-C again leaves)');
  await chat.sees('> ');
  chat.type(CTRL_C);
  await chat.ended;
});

test('lines that are pasted at once are one question; the last one waits for Enter', async () => {
  const chat = await start(answer([], ['Yes.']));
  await chat.sees('> ');
  chat.type('one\rtwo\rthree');
  await chat.sees('three');
  // longer than lines of one paste are apart
  await delay(100);
  assert.equal(chat.server.requests.length, 0);
  chat.type('\r');
  await chat.sees('Yes.');
  await chat.sees('> ');
  chat.type(CTRL_D);
  await chat.ended;
  assert.deepEqual(
    chat.server.requests.map(({ messages }) => messages),
    [[{ role: 'user', content: 'one\ntwo\nthree' }]],
  );
});

test('an earlier question comes back with the arrow key, and an empty line asks nothing', async () => {
  const chat = await start(answer([], ['Yes.']));
  await chat.sees('> ');
  chat.type('first\r');
  await chat.sees('Yes.');
  await chat.sees('> ');
  chat.type('\r');
  await chat.sees('> ');
  chat.type('\u001b[A\r');
  await chat.sees('Yes.');
  await chat.sees('> ');
  chat.type(CTRL_D);
  await chat.ended;
  assert.deepEqual(
    chat.server.requests.map(({ messages }) => messages.at(-1)?.content),
    ['first', 'first'],
  );
});
