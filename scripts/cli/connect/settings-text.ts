// Changes settings files without touching what else is in them: comments, order, layout.
import { applyEdits, modify, type ParseError, parse, printParseErrorCode } from 'jsonc-parser';
import { isMap, isSeq, parseDocument } from 'yaml';

const INDENT = { formattingOptions: { tabSize: 2, insertSpaces: true } };

/**
 * Sets values in a JSON file that may have comments.
 * @throws Error when it is not JSON
 */
export function setInJson(
  text: string | undefined,
  values: readonly [path: string[], value: unknown][],
): string {
  let changed = text === undefined || text.trim() === '' ? '{}\n' : text;
  const errors: ParseError[] = [];
  parse(changed, errors, { allowTrailingComma: true });
  const [error] = errors;
  if (error)
    throw new Error(`it is not JSON: ${printParseErrorCode(error.error)} at character ${error.offset}`);
  for (const [path, value] of values) changed = applyEdits(changed, modify(changed, path, value, INDENT));
  return changed.endsWith('\n') ? changed : `${changed}\n`;
}

/**
 * Puts an entry into a list of a YAML file, in the place of the one with the same name.
 * @param start of a file that is not there yet
 * @throws Error when it is not YAML, or the list is none
 */
export function setInYamlList(
  text: string | undefined,
  path: readonly string[],
  entry: { name: string } & Record<string, unknown>,
  start: Record<string, unknown> = {},
): string {
  const document = parseDocument(text ?? '');
  const [error] = document.errors;
  if (error) throw new Error(`it is not YAML: ${error.message}`);
  if (document.contents === null)
    for (const [name, value] of Object.entries(start)) document.set(name, value);
  const list = document.getIn(path);
  if (list !== undefined && list !== null && !isSeq(list)) throw new Error(`${path.join('.')} is not a list`);
  const items = isSeq(list) ? list.items : [];
  const place = items.findIndex((item) => isMap(item) && item.get('name') === entry.name);
  document.setIn([...path, place < 0 ? items.length : place], document.createNode(entry));
  return document.toString({ lineWidth: 0 });
}

const BEGIN = '# espalier: begin';
const END = '# espalier: end';

/** Puts a block at the end of a TOML file, in the place of the one that was put there before. */
export function setTomlBlock(text: string | undefined, block: string): string {
  const before = text ?? '';
  const from = before.indexOf(BEGIN);
  const to = before.indexOf(END);
  const rest =
    from < 0 || to < from ? before : before.slice(0, from) + before.slice(to + END.length).replace(/^\n/, '');
  const kept = rest.trimEnd();
  return `${kept}${kept === '' ? '' : '\n\n'}${BEGIN}\n${block.trim()}\n${END}\n`;
}
