// Python's str.strip, lstrip and rstrip with characters, for chat templates: the template library strips all white
// space whatever it is told, which would change prompts. It must not know what a template says.
import type { Template } from '@huggingface/jinja';

const SIDES: Record<string, { start: boolean; end: boolean }> = {
  strip: { start: true, end: true },
  lstrip: { start: true, end: false },
  rstrip: { start: false, end: true },
};
const PREFIX = 'python_';

/**
 * Rewrites every `text.strip(chars)` (and lstrip, rstrip) with an argument into a call of one of `STRIP_FUNCTIONS`.
 * Calls without an argument are right already.
 */
export function rewriteStrips(template: Template): void {
  visit(template.parsed);
}

/** What a rewritten template needs among its variables. */
export const STRIP_FUNCTIONS: Record<string, (text: unknown, chars: unknown) => string> = Object.fromEntries(
  Object.entries(SIDES).map(([name, sides]) => [
    PREFIX + name,
    (text: unknown, chars: unknown) => strip(text, chars, sides),
  ]),
);

function strip(text: unknown, chars: unknown, sides: { start: boolean; end: boolean }): string {
  if (typeof text !== 'string') throw new Error('strip is called on something that is not a text');
  if (chars === null || chars === undefined) {
    if (sides.start && sides.end) return text.trim();
    return sides.start ? text.trimStart() : text.trimEnd();
  }
  const set = new Set(String(chars));
  const points = Array.from(text);
  let start = 0;
  let end = points.length;
  if (sides.start) while (start < end && set.has(points[start] ?? '')) start++;
  if (sides.end) while (end > start && set.has(points[end - 1] ?? '')) end--;
  return points.slice(start, end).join('');
}

/** `object.strip(chars)` has the tree Call(Member(object, Identifier strip), [chars]). */
function visit(node: unknown): void {
  if (typeof node !== 'object' || node === null) return;
  for (const child of Object.values(node)) visit(child);
  if (!isCall(node)) return;
  const { callee } = node;
  if (!isMember(callee) || callee.computed || !Object.hasOwn(SIDES, callee.property.value)) return;
  callee.property.value = PREFIX + callee.property.value;
  node.args = [callee.object, ...node.args];
  node.callee = callee.property;
}

interface Call {
  type: 'CallExpression';
  callee: unknown;
  args: unknown[];
}

interface Member {
  type: 'MemberExpression';
  computed: boolean;
  object: unknown;
  property: { type: 'Identifier'; value: string };
}

function isCall(node: object): node is Call {
  return 'type' in node && node.type === 'CallExpression' && 'args' in node && isNonEmpty(node.args);
}

function isNonEmpty(args: unknown): boolean {
  return Array.isArray(args) && args.length > 0;
}

function isMember(node: unknown): node is Member {
  if (typeof node !== 'object' || node === null || !('property' in node)) return false;
  const { property } = node;
  return (
    'type' in node &&
    node.type === 'MemberExpression' &&
    typeof property === 'object' &&
    property !== null &&
    'value' in property &&
    typeof property.value === 'string'
  );
}
