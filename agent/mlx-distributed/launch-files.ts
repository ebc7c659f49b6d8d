// The files and variables by which MLX's ranks find one another without ssh. Pure, but for the one function that writes.
// https://ml-explore.github.io/mlx/build/html/usage/distributed.html
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RankLaunch } from '../../protocol/ranks.ts';

export interface LaunchFile {
  name: string;
  text: string;
}

/** ring: the addresses of each rank, in their order · jaccl: the RDMA device from each rank to each other, null to itself */
export function launchFile(launch: RankLaunch): LaunchFile {
  return launch.backend === 'ring'
    ? { name: 'hosts.json', text: JSON.stringify(launch.hosts) }
    : { name: 'devices.json', text: JSON.stringify(launch.devices) };
}

/**
 * What a rank finds in its environment.
 * @param path of the launch file on its node
 */
export function launchEnvironment(launch: RankLaunch, rank: number, path: string): Record<string, string> {
  if (launch.backend === 'ring') return { MLX_RANK: String(rank), MLX_HOSTFILE: path };
  return { MLX_RANK: String(rank), MLX_JACCL_COORDINATOR: launch.coordinator, MLX_IBV_DEVICES: path };
}

/** MLX's own variables, of which none may come from the agent's user: a left-over host file would win. */
export const MLX_VARIABLES = [
  'MLX_RANK',
  'MLX_WORLD_SIZE',
  'MLX_HOSTFILE',
  'MLX_RING_VERBOSE',
  'MLX_JACCL_COORDINATOR',
  'MLX_IBV_DEVICES',
  // ranks on RDMA are to run without it
  'MLX_METAL_FAST_SYNCH',
] as const;

/** Writes the launch file, readable to its owner alone. @returns the rank's variables */
export function writeLaunchFile(dir: string, launch: RankLaunch, rank: number): Record<string, string> {
  const { name, text } = launchFile(launch);
  const path = join(dir, name);
  writeFileSync(path, text, { mode: 0o600 });
  return launchEnvironment(launch, rank, path);
}
