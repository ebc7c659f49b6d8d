// The processes of this home as the wizard needs them: which run, and their start for a role. It must not know what the
// wizard asks.
import type { ProposedChange } from '../../dashboard/setup/actions.ts';
import type { SetupRole } from '../../dashboard/setup/order.ts';
import type { ServiceHow, ServiceName } from '../service/service-spec.ts';
import { serviceSpec } from '../service/service-spec.ts';
import { serviceStates } from '../service/service-states.ts';
import { argsFor, installService, type ServiceTools, serviceChange, systemHow } from '../service/services.ts';
import { commandsOf } from '../system-changes/change-system.ts';

/** What the command line said for the two processes; none: what they had the last time. */
export interface ProcessArgs {
  agent: readonly string[];
  controller: readonly string[];
  /** of the environment of an agent in the background: a join token */
  agentEnvironment: Record<string, string>;
}

/** How a process runs that is no service. */
const BY_HAND = 'started by hand';

export class OwnProcesses {
  readonly #tools: ServiceTools;
  readonly #args: ProcessArgs;

  constructor(tools: ServiceTools, args: ProcessArgs) {
    this.#tools = tools;
    this.#args = args;
  }

  /** How each runs, in words; null where it does not. */
  async running(): Promise<Record<ServiceName, string | null>> {
    const found: Record<ServiceName, string | null> = { agent: null, controller: null };
    for (const { name, pid, how } of await serviceStates(this.#tools)) {
      if (pid !== null) found[name] = how === null ? BY_HAND : `by ${how}, process ${pid}`;
    }
    return found;
  }

  /** What a role's services change of the system; none where nothing but the background is there. */
  async changes(role: SetupRole): Promise<ProposedChange[]> {
    const how = systemHow(this.#tools.platform);
    if (how === undefined) return [];
    const changes = await Promise.all((await this.#missing(role)).map((name) => this.#change(name, how)));
    return changes.flat();
  }

  /** @throws EspalierError service_failed, system_change_failed */
  async start(role: SetupRole, way: 'system' | 'background'): Promise<void> {
    const how = (way === 'system' ? systemHow(this.#tools.platform) : undefined) ?? 'background';
    for (const name of await this.#missing(role)) {
      const spec = this.#spec(name);
      const change = await serviceChange(spec, how, this.#tools);
      const extra = name === 'agent' ? this.#args.agentEnvironment : {};
      await installService(spec, how, change, this.#tools, extra);
    }
  }

  async #missing(role: SetupRole): Promise<ServiceName[]> {
    const running = await this.running();
    const wanted: ServiceName[] = role === 'controller' ? ['agent', 'controller'] : ['agent'];
    return wanted.filter((name) => running[name] === null);
  }

  #spec(name: ServiceName) {
    const { home } = this.#tools;
    return serviceSpec(name, argsFor(name, this.#args[name], home), home);
  }

  async #change(name: ServiceName, how: ServiceHow): Promise<ProposedChange[]> {
    const change = await serviceChange(this.#spec(name), how, this.#tools);
    return change ? [{ change, commands: commandsOf(change, this.#tools.canAsk) }] : [];
  }
}
