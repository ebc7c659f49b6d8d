// How the services of this home are: what their system says of them, and which process has the home. Nothing is changed.
import { holderOf } from '../../protocol/home-lock.ts';
import type { RunArgv } from '../system-changes/run-argv.ts';
import { launchdLabel, parseLaunchctlPrint } from './launchd-service.ts';
import { readServices } from './saved-services.ts';
import { type ServiceHow, ServiceName, type SystemView } from './service-spec.ts';
import { parseSystemctlShow, unitName } from './systemd-service.ts';

export interface ServiceState {
  name: ServiceName;
  /** null: it is no service here, but may run all the same, started by hand */
  how: ServiceHow | null;
  /** starts: its process is there, and has not taken the home yet · fails: it ended, and its system will start it again */
  state: 'runs' | 'starts' | 'fails' | 'stopped';
  pid: number | null;
  args: readonly string[];
}

interface StateTools {
  /** ESPALIER_HOME */
  home: string;
  run: RunArgv;
}

/** How both services of this home are. @throws EspalierError home_damaged */
export async function serviceStates(tools: StateTools): Promise<ServiceState[]> {
  return Promise.all(ServiceName.options.map((name) => serviceState(name, tools)));
}

/** @throws EspalierError home_damaged */
export async function serviceState(name: ServiceName, { home, run }: StateTools): Promise<ServiceState> {
  const { how = null, args = [] } = readServices(home)[name] ?? {};
  const view = await systemView(name, how, run);
  const holder = holderOf(home, name) ?? null;
  const pid = view?.pid ?? holder;
  const shared = { name, how, args, pid };
  if (pid !== null) return { ...shared, state: pid === holder ? 'runs' : 'starts' };
  return { ...shared, state: view?.hasFailed ? 'fails' : 'stopped' };
}

/** @returns undefined where no system keeps it running */
async function systemView(
  name: ServiceName,
  how: ServiceHow | null,
  run: RunArgv,
): Promise<SystemView | undefined> {
  if (how === 'launchd') {
    const { output } = await run(['/bin/launchctl', 'print', `system/${launchdLabel(name)}`]);
    return parseLaunchctlPrint(output);
  }
  if (how === 'systemd') {
    const properties = 'LoadState,ActiveState,SubState,MainPID';
    const { output } = await run(['/usr/bin/systemctl', 'show', unitName(name), '-p', properties]);
    return parseSystemctlShow(output);
  }
  return undefined;
}
