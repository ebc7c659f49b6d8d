// The command over a real API whose links are on paper.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { LinksReport } from '../../../protocol/links.ts';
import { startApi } from '../../controller/api/api-under-test.ts';
import { run } from './run.ts';

test('it shows the links, as text and as JSON, and measures first when it is asked to', async (t) => {
  const { url } = await startApi(t);
  const text = await run(['links', '--controller', url]);
  assert.deepEqual([text.code, text.stderr], [0, '']);
  assert.match(text.stdout, /^studio-1 +studio-2 +ethernet en0/m);
  const json = await run(['links', '--json', '--measure', '--controller', url]);
  assert.equal(json.code, 0);
  const { pairs } = LinksReport.parse(JSON.parse(json.stdout));
  // the API under test measures by the clock: anew means later
  assert.ok((pairs[0]?.measuredAt ?? 0) > 1);
});

test('who is no controller, or an older one, is told apart', async (t) => {
  const answer = async (status: number, body: string) => {
    const server = createServer((_request, response) => response.writeHead(status).end(body));
    t.after(() => server.close());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const bound = server.address();
    const at = `http://127.0.0.1:${typeof bound === 'object' && bound ? bound.port : 0}`;
    return run(['links', '--controller', at]);
  };
  const page = await answer(404, '<html>');
  assert.equal(page.code, 1);
  assert.match(page.stderr, /HTTP 404 and no links: is it an Espalier controller\?/);
  assert.match(
    (await answer(200, '{"pairs":1}')).stderr,
    /not understood by version .*: upgrade the older side/,
  );
  const older = await answer(404, '{"error":{"message":"There is no /cluster/v1/links. Check the path."}}');
  assert.match(older.stderr, /^espalier: There is no \/cluster\/v1\/links/);
});
