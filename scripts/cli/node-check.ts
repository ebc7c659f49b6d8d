// Whether this Node is new enough. It must run on any Node that knows modules: no package may be imported here.

/**
 * What to tell a person whose Node is too old.
 * @param version as in process.versions.node
 * @param engines as in package.json: `>=22.18`
 * @returns undefined when the version satisfies it
 */
export function nodeProblem(version: string, engines: string): string | undefined {
  const wanted = parts(engines.replace(/^\D*/, ''));
  const actual = parts(version);
  for (let i = 0; i < 3; i += 1) {
    const difference = (actual[i] ?? 0) - (wanted[i] ?? 0);
    if (difference > 0) return undefined;
    if (difference < 0) {
      return [
        `Espalier needs Node ${engines.replace(/^>=/, '')} or newer; this is Node ${version}.`,
        '  → Install a current Node from https://nodejs.org, or in a checkout of Espalier use',
        '    `npm run -s espalier -- COMMAND`, which brings its own.',
      ].join('\n');
    }
  }
  return undefined;
}

function parts(version: string): number[] {
  return version.split('.').map((part) => Number.parseInt(part, 10) || 0);
}
