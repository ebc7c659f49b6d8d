import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { answer, type ChatServer, chunk, type Reply, refusal, startChatServer } from './chat-server.ts';
import { killStarted, run, start } from './run.ts';

const servers: ChatServer[] = [];
afterEach(async () => {
  killStarted();
  for (const server of servers.splice(0)) await server.close();
});

async function serve(...replies: Reply[]): Promise<ChatServer> {
  const server = await startChatServer(...replies);
  servers.push(server);
  return server;
}

test('in a pipe standard output holds the answer alone, and the thinking is left out', async () => {
  const server = await serve(answer(['Let me ', 'count.'], ['There are ', '3.']));
  const result = await run(['chat', 'how many?', '--controller', server.url]);
  assert.deepEqual(result, { code: 0, stdout: 'There are 3.', stderr: '' });
  assert.deepEqual(server.requests[0]?.messages, [{ role: 'user', content: 'how many?' }]);
  assert.equal(server.requests[0]?.stream, true);
});

test('--thinking puts the thinking on standard error, in words where there is no colour', async () => {
  const server = await serve(answer(['Let me ', 'count.'], ['3.']));
  const result = await run(['chat', 'how many?', '--show-thinking', '--controller', server.url]);
  assert.deepEqual(result, { code: 0, stdout: '3.', stderr: 'Thinking…\nLet me count.\n…done thinking.\n' });
});

test('the question is read from a pipe', async () => {
  const server = await serve(answer([], ['yes']));
  const result = await run(['chat', '--controller', server.url], { input: 'first line\nsecond line\n' });
  assert.equal(result.stdout, 'yes');
  assert.equal(server.requests[0]?.messages[0]?.content, 'first line\nsecond line');
});

test('options go to the API under its names; what is not given is left to the model', async () => {
  const server = await serve(answer([], ['yes']));
  await run(['chat', 'x', '-m', 'r1', '--max-tokens', '20', '-t', '0', '--controller', server.url]);
  await run(['chat', 'x', '--controller', server.url]);
  const [given, plain] = server.requests;
  assert.deepEqual([given?.model, given?.max_tokens, given?.temperature], ['r1', 20, 0]);
  assert.ok(plain && !('model' in plain) && !('max_tokens' in plain) && !('temperature' in plain));
});

test("the API's errors are shown in its own words, before the answer and within it", async () => {
  const refused = await serve(refusal(404, 'there is no model "x": use one that GET /v1/models lists'));
  assert.deepEqual(await run(['chat', 'x', '--controller', refused.url]), {
    code: 1,
    stdout: '',
    stderr: 'espalier: there is no model "x": use one that GET /v1/models lists',
  });
  const late = await serve((response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(chunk({ content: 'half' }));
    response.end(`data: ${JSON.stringify({ error: { message: 'stage 2 was lost' } })}\n\n`);
  });
  assert.deepEqual(await run(['chat', 'x', '--controller', late.url]), {
    code: 1,
    stdout: 'half',
    stderr: 'espalier: stage 2 was lost',
  });
});

test('an answer that breaks off is an error, and what came of it is shown', async () => {
  const server = await serve((response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(chunk({ content: 'half' }), () => response.destroy());
  });
  const result = await run(['chat', 'x', '--controller', server.url]);
  assert.equal(result.code, 1);
  assert.equal(result.stdout, 'half');
  assert.match(result.stderr, /^espalier: the answer broke off: .*ask again/);
});

test('an answer that is cut off by the token limit says so', async () => {
  const server = await serve(answer([], ['one two'], 'length'));
  const result = await run(['chat', 'x', '--controller', server.url]);
  assert.equal(result.code, 0);
  assert.equal(result.stdout, 'one two');
  assert.match(result.stderr, /--max-tokens raises it/);
});

test('no controller: the way out is named', async () => {
  const server = await serve(answer([], []));
  await server.close();
  const result = await run(['chat', 'x', '--controller', server.url]);
  assert.equal(result.code, 1);
  assert.match(result.stderr, /no controller answers at .*: connection refused\n {2}→ Start one with/);
});

test('control characters of a model do not reach the terminal; line breaks and pieces of letters do', async () => {
  const server = await serve((response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const bytes = Buffer.from(
      `${chunk({ content: 'a\u001b[31m\nb\u0007ü🖥' })}${chunk({}, 'stop')}data: [DONE]\n\n`,
    );
    // one byte at a time: letters and events are cut in the middle
    for (const byte of bytes) response.write(Buffer.of(byte));
    response.end();
  });
  const result = await run(['chat', 'x', '--controller', server.url]);
  assert.equal(result.stdout, 'a[31m\nbü🖥');
});

test('Ctrl-C cancels the request at the controller and ends with 130', async () => {
  const cancelled = Promise.withResolvers<void>();
  const server = await serve((response) => {
    response.on('close', () => cancelled.resolve());
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(chunk({ content: 'half' }));
  });
  const chat = start(['chat', 'x', '--controller', server.url]);
  await chat.printed;
  chat.child.kill('SIGINT');
  assert.equal(await chat.exited(), 130);
  await cancelled.promise;
  assert.equal(chat.stdout(), 'half\n');
});
