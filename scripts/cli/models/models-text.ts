// Models, pulls and costs as text for a terminal. Pure.
import { diskBytes, isPulling, movesOf, pullLine, roughDuration } from '../../../dashboard/pull-text.ts';
import type {
  CatalogueReport,
  FoundModel,
  ModelsReport,
  NodePull,
  PullProgress,
  StoredModel,
  SwitchCost,
} from '../../../protocol/models.ts';
import { table } from '../table.ts';

export function modelsText({ models, pulls, stores }: ModelsReport): string {
  const rows = models.map((model) => [
    model.id,
    model.state,
    `${model.architecture}, ${model.quantization}`,
    diskBytes(model.sizeBytes),
    heldText(model),
  ]);
  const parts = [table([['MODEL', 'STATE', 'KIND', 'SIZE', 'ON'], ...rows], { right: [3] })];
  const running = pulls.filter(isPulling);
  if (running.length > 0) parts.push(running.map(pullLine).join('\n'));
  const known = stores.filter(({ folder }) => folder !== null);
  if (known.length > 0) {
    const lines = known.map(({ node, folder, freeBytes }) => [node, diskBytes(freeBytes ?? 0), folder ?? '']);
    parts.push(table([['NODE', 'FREE', 'FOLDER'], ...lines], { right: [1] }));
  }
  return parts.join('\n\n');
}

function heldText({ heldBy, missingFiles }: StoredModel): string {
  if (heldBy === null) return 'every node, in its folder';
  const nodes = heldBy.map(({ node, bytes: held }) => `${node} ${diskBytes(held)}`).join(', ') || 'no node';
  return missingFiles > 0 ? `${nodes}; ${missingFiles} files on none` : nodes;
}

export function catalogueText({ models, nodes }: CatalogueReport): string {
  const rows = models.map((model) => [
    model.fits ? 'yes' : 'no',
    model.repo,
    diskBytes(model.fileBytes),
    model.licence,
    model.fits
      ? `${model.nodes} ${model.nodes === 1 ? 'node' : 'nodes'}, ${model.tokensPerSecond?.toFixed(1)} tokens/s predicted`
      : (model.reason?.split('\n')[0] ?? ''),
  ]);
  const head = `What ${nodes === 1 ? 'the connected node' : `the ${nodes} connected nodes`} can hold, best first. Sizes are computed, speeds predicted.`;
  return `${head}\n\n${table([['FITS', 'MODEL', 'SIZE', 'LICENCE', 'HOW'], ...rows], { right: [2] })}`;
}

export function foundText(models: readonly FoundModel[]): string {
  if (models.length === 0) return 'Nothing is found.';
  const rows = models.map(({ repo, downloads, likes, updatedAt, isGated }) => [
    repo,
    downloads?.toLocaleString('en') ?? '',
    likes?.toLocaleString('en') ?? '',
    updatedAt?.slice(0, 10) ?? '',
    isGated ? 'needs a token' : '',
  ]);
  return table([['MODEL', 'DOWNLOADS', 'LIKES', 'UPDATED', ''], ...rows], { right: [1, 2] });
}

/** A line a node that still has something to do. */
export function nodeLines({ nodes }: PullProgress): string[] {
  return nodes.filter(({ files, filesDone }) => filesDone < files).map(nodeLine);
}

function nodeLine(pull: NodePull): string {
  const { node, doneBytes, totalBytes, files, filesDone } = pull;
  return `  ${node}: ${diskBytes(doneBytes)} of ${diskBytes(totalBytes)}, ${filesDone}/${files} files; ${movesOf(pull).join(', ')}`;
}

/** What a pull that is done has moved. */
export function pulledText({
  model,
  commit,
  kind,
  hubBytes,
  copiedBytes,
  damaged,
  nodes,
}: PullProgress): string {
  const at = `${model} at ${commit.slice(0, 12)}`;
  const moved = `${diskBytes(hubBytes)} came from the hub, ${diskBytes(copiedBytes)} from other nodes`;
  const where = nodes.map(({ node, totalBytes }) => `  ${node}: ${diskBytes(totalBytes)}`).join('\n');
  if (kind === 'pull') return `${at} is on the nodes, verified: ${moved}.\n${where}`;
  const found =
    damaged.length === 0
      ? 'every file is as it should be'
      : `damaged were, and were fetched anew: ${damaged.join(', ')} (${moved})`;
  return `${at}: ${found}.`;
}

export function costText(cost: SwitchCost): string {
  const { model, replaces, missingBytes, loadBytes, nodes, loadSeconds, tokensPerSecond, requests } = cost;
  if (loadBytes === 0) return `${model} is deployed already.`;
  const place = replaces === null ? '' : ` in the place of ${replaces}`;
  const fetch = missingBytes > 0 ? `${diskBytes(missingBytes)} are to be fetched first; ` : '';
  const many = requests === 1 ? '1 request runs: it has' : `${requests} requests run: they have`;
  const wait = requests > 0 ? ` ${many} half a minute to end.` : '';
  return (
    `${model}${place}: ${fetch}${nodes} ${nodes === 1 ? 'node loads' : 'nodes load'} ${diskBytes(loadBytes)}, about ` +
    `${roughDuration(loadSeconds)} (predicted); then ${tokensPerSecond.toFixed(1)} tokens/s for one stream (predicted).${wait}`
  );
}
