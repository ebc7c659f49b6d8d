// Puts together what doctor looks at: this machine as this command sees it, and the cluster as its controller tells. It must
// not know how any of it is shown.
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { checkNode } from '../../../agent/checks/check-node.ts';
import { gatherFacts } from '../../../agent/facts/gather.ts';
import { parseControllerUrl } from '../../../dashboard/client.ts';
import {
  bySeverity,
  DOCTOR_PATH,
  DoctorReport,
  type Finding,
  type NodeCheck,
} from '../../../protocol/doctor.ts';
import { asEspalierError, explain } from '../../../protocol/errors.ts';
import { loadIdentity } from '../../../protocol/identity.ts';
import { CHECK_TIMEOUT_MS } from '../../../protocol/limits.ts';
import { ApiError } from '../api-error.ts';
import { askController } from '../ask-controller.ts';

/** The controller waits for its nodes for CHECK_TIMEOUT_MS. */
const ANSWER_TIMEOUT_MS = CHECK_TIMEOUT_MS + 5_000;

export interface Examined {
  /** as this command sees it; only from it --fix takes what it does */
  local: NodeCheck;
  /** whether the agent of this machine is one of the cluster's nodes, and has told the same and more */
  isLocalInCluster: boolean;
  cluster: DoctorReport | null;
  /** why there is no cluster; null when there is one, or when none was asked for */
  trouble: string | null;
  /** all of them, the worst first */
  findings: Finding[];
}

/**
 * @param controllerUrl undefined: look at this machine only
 * @throws EspalierError bad_option when it is no URL, home_damaged
 */
export async function examine(home: string, controllerUrl: string | undefined): Promise<Examined> {
  const url = controllerUrl === undefined ? undefined : parseControllerUrl(controllerUrl);
  const [local, answer] = await Promise.all([
    checkHere(home),
    url === undefined ? NOT_ASKED : askCluster(url),
  ]);
  const { cluster, trouble } = answer;
  const isLocalInCluster = cluster?.nodes.some(({ id }) => id === local.id) ?? false;
  const findings = [
    ...(isLocalInCluster ? [] : local.findings),
    ...(cluster?.nodes ?? []).flatMap((node) => node.findings),
    ...(cluster?.findings ?? []),
  ];
  return { local, isLocalInCluster, cluster, trouble, findings: bySeverity(findings) };
}

const NOT_ASKED = { cluster: null, trouble: null };

async function checkHere(home: string): Promise<NodeCheck> {
  const machine = await gatherFacts();
  return checkNode({ id: await ownId(home), name: hostname().replace(/\..*$/, ''), home, machine });
}

/** Of the agent with this home; looking must not make one. */
async function ownId(home: string): Promise<string> {
  return existsSync(join(home, 'agent.pem')) ? (await loadIdentity(home, 'agent')).id : '';
}

async function askCluster(url: string): Promise<{ cluster: DoctorReport | null; trouble: string | null }> {
  try {
    const question = {
      path: DOCTOR_PATH,
      schema: DoctorReport,
      what: 'checks',
      timeoutMs: ANSWER_TIMEOUT_MS,
    };
    return { cluster: (await askController(url, question)).data, trouble: null };
  } catch (error) {
    const trouble = error instanceof ApiError ? error.message : explain(asEspalierError(error));
    return { cluster: null, trouble };
  }
}
