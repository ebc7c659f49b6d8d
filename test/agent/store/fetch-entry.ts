// A process that fetches one file and ends: to be killed.
import { ModelCache } from '../../../agent/store/cache.ts';
import { fetchBlob } from '../../../agent/store/fetch-blob.ts';
import { Hub } from '../../../agent/store/hub.ts';
import { hubSettings } from '../../../agent/store/hub-settings.ts';
import type { ModelFile, ModelRef } from '../../../protocol/models.ts';

const { cacheDir, model, file } = JSON.parse(process.argv[2] ?? '') as {
  cacheDir: string;
  model: ModelRef;
  file: ModelFile;
};
process.stdout.write('begun\n');
const source = new Hub(hubSettings(process.env, cacheDir)).file(model, file);
await fetchBlob(new ModelCache(cacheDir), model, file, source, {
  signal: new AbortController().signal,
  reserveBytes: 0,
});
