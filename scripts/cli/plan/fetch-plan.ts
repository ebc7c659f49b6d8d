// The plan in force from the public API.
import { z } from 'zod';
import { unreachable } from '../../../dashboard/client.ts';
import { EspalierError } from '../../../protocol/errors.ts';
import { PLAN_PATH, PlanReport } from '../../../protocol/plan-report.ts';
import { ESPALIER_VERSION } from '../../../protocol/version.ts';
import { ApiError } from '../api-error.ts';

/** What would make the plan better takes several plans to find out. */
const ANSWER_TIMEOUT_MS = 30_000;

const Failure = z.object({ error: z.object({ message: z.string() }) });

/**
 * @throws EspalierError controller_unreachable, or protocol_version when the answer is not understood; ApiError with the
 *   API's own words
 */
export async function fetchPlan(controllerUrl: string): Promise<PlanReport> {
  let response: Response;
  let json: unknown;
  try {
    response = await fetch(new URL(PLAN_PATH, controllerUrl), {
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    });
    json = parseJson(await response.text());
  } catch (error) {
    throw unreachable(controllerUrl, error);
  }
  const failure = Failure.safeParse(json);
  if (failure.success) throw new ApiError(failure.data.error.message);
  const report = PlanReport.safeParse(json);
  if (report.success) return report.data;
  if (!response.ok || json === undefined) {
    throw new EspalierError(
      'controller_unreachable',
      `${controllerUrl} answers GET ${PLAN_PATH} with HTTP ${response.status} and no plan: is it an Espalier controller?`,
    );
  }
  throw new EspalierError(
    'protocol_version',
    `the plan of the controller at ${controllerUrl} is not understood by version ${ESPALIER_VERSION}: upgrade the older side`,
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
