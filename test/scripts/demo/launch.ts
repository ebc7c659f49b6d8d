// The launcher in a process of its own, as the CLI runs it: `node launch.js '{"nodes": 3, ...}'`.
import { type DemoOptions, runDemo } from '../../../scripts/demo/demo.ts';

const options: DemoOptions = JSON.parse(process.argv[2] ?? '{}');
process.exit(await runDemo(options));
