// A local hub as a process of its own, for a network namespace. It ends with its standard input.
import { LocalHub, type LocalHubOptions } from './local-hub.ts';

const hub = await LocalHub.up(JSON.parse(process.argv[2] ?? '{}') as LocalHubOptions);
process.stdout.write(`${hub.url}\n`);
process.stdin.resume().once('end', () => process.exit(0));
