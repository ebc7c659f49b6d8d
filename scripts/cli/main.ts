#!/usr/bin/env node
// The `espalier` command. First of all it checks its Node, so nothing that an older Node might not understand may be
// imported above that check.
import process from 'node:process';
import { nodeProblem } from './node-check.ts';
import { packageFacts } from './package-root.ts';

const problem = nodeProblem(process.versions.node, packageFacts().engines);
if (problem === undefined) {
  const { runCommandLine } = await import('./program.ts');
  process.exit(await runCommandLine(process.argv.slice(2)));
} else {
  console.error(problem);
  process.exit(1);
}
