// What is pinned in a request, checked against what there is. Pure.
import { EspalierError } from '../../protocol/errors.ts';
import type { PlannerNode, PlanRequest } from './inputs.ts';

/** @throws EspalierError bad_option for pins that no plan can keep, with what they would have to be */
export function checkPins(request: PlanRequest): void {
  const { card, pins, nodes } = request;
  for (const [option, ids] of [
    ['--order', pins?.nodes],
    ['--exclude', pins?.exclude],
  ] as const) {
    const unknown = ids?.find((id) => !nodes.some((node) => node.id === id));
    if (unknown !== undefined) {
      const names = nodes.map((node) => node.name).join(', ');
      throw new EspalierError('bad_option', `${option}: there is no node ${unknown}; there are: ${names}`);
    }
  }
  if (pins?.nodes && new Set(pins.nodes).size !== pins.nodes.length) {
    throw new EspalierError(
      'bad_option',
      '--order: each node can hold one stage only, but one is named twice',
    );
  }
  const both = pins?.nodes?.find((id) => pins.exclude?.includes(id));
  if (both !== undefined) {
    const name = nodes.find((node) => node.id === both)?.name;
    throw new EspalierError('bad_option', `--exclude: ${name} is also among --order; name it in one of them`);
  }
  if (pins?.layers) checkLayers(pins.layers, pins.nodes, card.layerCount);
}

/** The pinned nodes in their order; undefined when none are pinned. */
export function pinnedNodes({ nodes, pins }: PlanRequest): PlannerNode[] | undefined {
  return pins?.nodes?.map((id) => nodes.find((node) => node.id === id)).filter((node) => node !== undefined);
}

function checkLayers(layers: readonly number[], nodes: readonly string[] | undefined, layerCount: number) {
  const sum = layers.reduce((total, count) => total + count, 0);
  if (sum !== layerCount || layers.some((count) => !(Number.isInteger(count) && count >= 1))) {
    throw new EspalierError(
      'bad_option',
      `--layers ${layers.join(',')}: they add up to ${sum}, but the model has ${layerCount} layers, at least one a stage`,
    );
  }
  if (nodes && nodes.length !== layers.length) {
    throw new EspalierError(
      'bad_option',
      `--layers has ${layers.length} stages, but --order names ${nodes.length} nodes: there must be as many of each`,
    );
  }
}
