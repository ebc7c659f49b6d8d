// Whether the nodes have the same MLX Distributed: ranks of unlike versions may compute unlike things. Pure.
import type { EngineState } from '../../protocol/ranks.ts';

export interface VersionFinding {
  text: string;
  fix: string;
}

/** Of Python alone the version may differ: its ranks compute nothing by themselves. */
const MAY_DIFFER = new Set(['python']);

/** One for each package of which nodes have different versions. */
export function versionFindings(
  nodes: readonly { name: string; state: EngineState | undefined }[],
): VersionFinding[] {
  const told = nodes.flatMap(({ name, state }) => (state?.state === 'ready' ? [{ name, ...state }] : []));
  const packages = new Set(told.flatMap(({ versions }) => Object.keys(versions)));
  return [...packages]
    .filter((name) => !MAY_DIFFER.has(name))
    .flatMap((name) => {
      const has = told.map((node) => `${node.name} has ${node.versions[name] ?? 'none'}`);
      const distinct = new Set(told.map(({ versions }) => versions[name]));
      if (distinct.size < 2) return [];
      return [
        {
          text: `the nodes have different versions of ${name}: ${has.join(', ')}`,
          fix: 'Run the same version of Espalier on every node, and `espalier engine install mlx-distributed` on each.',
        },
      ];
    });
}
