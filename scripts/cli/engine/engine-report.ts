// What nodes have of MLX Distributed, as data and as text: of a cluster where its controller answers, else of this machine.
import { hostname } from 'node:os';
import { engineState } from '../../../agent/mlx-distributed/environment.ts';
import { versionFindings } from '../../../controller/mlx-distributed/versions.ts';
import { fetchStatus, parseControllerUrl } from '../../../dashboard/client.ts';
import { EspalierError } from '../../../protocol/errors.ts';
import type { EngineState } from '../../../protocol/ranks.ts';
import { table } from '../table.ts';

export interface EngineList {
  /** the controller that was asked; null where none answers, and this machine alone is listed */
  controller: string | null;
  nodes: { name: string; engine: EngineState }[];
  /** versions that differ */
  findings: { text: string; fix: string }[];
}

/** @throws EspalierError bad_option, protocol_version */
export async function engineList(controller: string, enginesDir: string): Promise<EngineList> {
  const url = parseControllerUrl(controller);
  const status = await fetchStatus(url).catch((error: unknown) => {
    if (error instanceof EspalierError && error.code === 'controller_unreachable') return undefined;
    throw error;
  });
  const nodes = status
    ? status.nodes.map(({ name, engine }) => ({ name, engine: engine ?? ({ state: 'missing' } as const) }))
    : [{ name: hostname(), engine: await engineState(enginesDir) }];
  const findings = versionFindings(nodes.map(({ name, engine }) => ({ name, state: engine })));
  return { controller: status ? String(url) : null, nodes, findings };
}

/** `mlx 0.32.4, mlx-lm 0.32.2`. */
export function versionsText(versions: Record<string, string>): string {
  return Object.entries(versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(', ');
}

export function engineListText({ controller, nodes, findings }: EngineList): string {
  const rows = nodes.map(({ name, engine }) => [name, 'mlx-distributed', engine.state, wordsOf(engine)]);
  const heading = controller === null ? ['(no controller answers: this machine alone)', ''] : [];
  const found = findings.map(({ text, fix }) => `! ${text}\n  → ${fix}`);
  return [...heading, table(rows), ...(found.length > 0 ? ['', ...found] : [])].join('\n');
}

function wordsOf(engine: EngineState): string {
  switch (engine.state) {
    case 'missing':
      return '`espalier engine install mlx-distributed` installs it';
    case 'installing':
      return engine.step;
    case 'failed':
      return engine.message.split('\n')[0] ?? '';
    case 'ready':
      return versionsText(engine.versions);
  }
}
