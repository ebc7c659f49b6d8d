// What `espalier doctor` says: findings of one node and of a cluster, and how far each node is from RDMA. It must not know
// how anything is found out; the words of each finding are in doctor-findings.
import { z } from 'zod';
import { FINDING_IDS } from './doctor-findings.ts';
import { MAX_CHECK_FINDINGS, MAX_FIXES } from './limits.ts';
import { Shown } from './printable.ts';
import { SystemChange } from './system-change.ts';

export const DOCTOR_PATH = '/cluster/v1/doctor';

const Text = Shown(1_000);
const Word = Shown(200);
/** A change of the node's system that mends a finding: the same that the wizard proposes there. */
export const Fix = SystemChange.extend({
  description: Text,
  why: Text,
  /** whether `--fix` may make it: it can be undone, opens nothing to others, and cuts no connection */
  safe: z.boolean(),
});
export type Fix = z.infer<typeof Fix>;

export const Severity = z.enum(['error', 'warn', 'info']);
export type Severity = z.infer<typeof Severity>;

export const Finding = z.object({
  id: z.enum(FINDING_IDS),
  severity: Severity,
  /** the name of the node that it is about; null where it is about several */
  node: Word.nullable(),
  /** measured, or read from the system */
  seen: Text,
  /** why it matters */
  why: Text,
  /** what a person does about it */
  remedy: Text,
  /** what mends it on the node itself, in this order; one change may mend several findings */
  fixes: z.array(Fix).max(MAX_FIXES),
});
export type Finding = z.infer<typeof Finding>;

export const Rung = z.object({
  id: z.enum(['hardware', 'system', 'enabled', 'device', 'cable', 'peer', 'active', 'addressed']),
  /** unknown: it could not be seen, or a rung below it is missing */
  state: z.enum(['yes', 'no', 'unknown']),
  seen: Text,
  /** how to get there; null where nothing is to be done */
  remedy: Text.nullable(),
});
export type Rung = z.infer<typeof Rung>;

/** One node, as it sees itself. */
export const NodeCheck = z.object({
  id: Word,
  name: Word,
  /** milliseconds since 1970, by the node's own clock, when it answered */
  at: z.number(),
  espalierVersion: Word,
  nodeVersion: Word,
  protocol: z.int(),
  /** `macOS 26.2 (25C56)` */
  os: Word.nullable(),
  findings: z.array(Finding).max(MAX_CHECK_FINDINGS),
  /** from what the hardware can do up to a port that is ready; empty where there is no Thunderbolt */
  rdma: z.array(Rung).max(16),
});
export type NodeCheck = z.infer<typeof NodeCheck>;

/** What the controller knows of all of them. */
export const DoctorReport = z.object({
  /** milliseconds since 1970 */
  at: z.number(),
  espalierVersion: Word,
  nodeVersion: Word,
  protocol: z.int(),
  nodes: z.array(NodeCheck),
  /** about several nodes, or about one that did not answer */
  findings: z.array(Finding),
});
export type DoctorReport = z.infer<typeof DoctorReport>;

const ORDER: readonly Severity[] = Severity.options;

/** The worst first, otherwise as they came. */
export function bySeverity(findings: readonly Finding[]): Finding[] {
  return findings.toSorted((x, y) => ORDER.indexOf(x.severity) - ORDER.indexOf(y.severity));
}
