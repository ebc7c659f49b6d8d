// What a service is, before anybody says how it is kept running: which process, with which arguments, as whom. Pure but for
// one look at the environment; it must not know launchd or systemd.
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { packageFacts } from '../cli/package-root.ts';

export const ServiceName = z.enum(['agent', 'controller']);
export type ServiceName = z.infer<typeof ServiceName>;

/**
 * How it is kept running. launchd, systemd: by the system, from its start on. background: a process that was started and is
 * left alone; it ends with the machine, and nobody starts it again.
 */
export const ServiceHow = z.enum(['launchd', 'systemd', 'background']);
export type ServiceHow = z.infer<typeof ServiceHow>;

export interface ServiceSpec {
  name: ServiceName;
  args: readonly string[];
  /** the program first: what `espalier agent ARGS` or `espalier controller ARGS` is here */
  command: string[];
  /** ESPALIER_HOME */
  home: string;
  user: string;
  environment: Record<string, string>;
}

/** What a system says of a service. */
export interface SystemView {
  pid: number | null;
  /** its last process ended with an error, and no other was started yet */
  hasFailed: boolean;
}

/** What a service needs of the environment in which it was installed; secrets are none of it. */
const PASSED_ON = ['HF_HOME', 'HF_HUB_CACHE', 'HF_ENDPOINT', 'ESPALIER_LOG'] as const;

/** @param args of the command, without its name */
export function serviceSpec(
  name: ServiceName,
  args: readonly string[],
  home: string,
  environment: NodeJS.ProcessEnv = process.env,
): ServiceSpec {
  const passed = PASSED_ON.flatMap((key) => {
    const value = environment[key];
    return value === undefined || value === '' ? [] : [[key, value] as const];
  });
  return {
    name,
    args,
    command: [process.execPath, join(packageFacts().root, 'dist/scripts/cli/main.js'), name, ...args],
    home,
    user: userInfo().username,
    environment: { ESPALIER_HOME: home, ...Object.fromEntries(passed) },
  };
}

/** Where a service's output goes, unless the system keeps it. */
export function serviceLog(home: string, name: ServiceName): string {
  return join(home, 'logs', `${name}.log`);
}
