// Damages an output in one of the ways in which outputs are damaged, and in a few that only an enemy would think of. The
// same chance gives the same damage.
const STRANGE_NUMBERS = [
  '-1',
  '0',
  '99999999999999999999999',
  '1e999',
  'NaN',
  '0x7fffffff',
  '9007199254740993',
  '-0',
  '',
];
const STRANGE_TEXTS = [
  '\u0000',
  '\u001b[2J\u001b]0;owned\u0007',
  '\ud800',
  '\u2028',
  '“Größe” 端口 🖥️',
  '__proto__',
  '%s%n',
  '"',
  '}',
  ' '.repeat(3_000),
  'a'.repeat(7_000),
];

export function pick<T>(list: readonly T[], random: () => number): T {
  return list[Math.floor(random() * list.length)] as T;
}

/** @param others outputs of other commands, to be mixed in */
export function mutate(text: string, others: readonly string[], random: () => number): string {
  let result = text;
  const rounds = 1 + Math.floor(random() * 3);
  for (let round = 0; round < rounds; round += 1) result = pick(DAMAGES, random)(result, others, random);
  return result.slice(0, 3_000_000);
}

type Damage = (text: string, others: readonly string[], random: () => number) => string;

const at = (text: string, random: () => number) => Math.floor(random() * (text.length + 1));
const editLines = (text: string, edit: (lines: string[]) => void) => {
  const lines = text.split('\n');
  edit(lines);
  return lines.join('\n');
};

const DAMAGES: readonly Damage[] = [
  () => '',
  (text, _, random) => text.slice(0, at(text, random)),
  (text, _, random) => text.slice(at(text, random)),
  function flipBytes(text, _, random) {
    const bytes = Buffer.from(text);
    for (let i = 0; i < 8 && bytes.length > 0; i += 1) {
      bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
    }
    return bytes.toString('utf8');
  },
  function swapLines(text, _, random) {
    return editLines(text, (lines) => {
      const [a, b] = [at(lines.join(''), random) % lines.length, at(lines.join(''), random) % lines.length];
      [lines[a], lines[b]] = [lines[b] ?? '', lines[a] ?? ''];
    });
  },
  function repeatBlock(text, _, random) {
    return editLines(text, (lines) => {
      const start = Math.floor(random() * lines.length);
      const block = lines.slice(start, start + 1 + Math.floor(random() * 40));
      for (let i = Math.floor(random() * 200); i >= 0; i -= 1) lines.splice(start, 0, ...block);
    });
  },
  function dropLines(text, _, random) {
    return editLines(text, (lines) =>
      lines.splice(Math.floor(random() * lines.length), 1 + Math.floor(random() * 5)),
    );
  },
  function strangeNumbers(text, _, random) {
    return text.replace(/\d+/g, (digits) => (random() < 0.1 ? pick(STRANGE_NUMBERS, random) : digits));
  },
  function otherNumbers(text, _, random) {
    return text.replace(/\d/g, (digit) => (random() < 0.1 ? String(Math.floor(random() * 10)) : digit));
  },
  function strangeText(text, _, random) {
    const place = at(text, random);
    return text.slice(0, place) + pick(STRANGE_TEXTS, random) + text.slice(place);
  },
  function strangeValues(text, _, random) {
    const values = [
      'null',
      '[]',
      '{}',
      '-5',
      'true',
      '{"_items": [{}, null, 7]}',
      `${'['.repeat(900)}${']'.repeat(900)}`,
    ];
    return text.replace(/" : "[^"]*"/g, (value) => (random() < 0.1 ? `" : ${pick(values, random)}` : value));
  },
  function nested(text, _, random) {
    const depth = Math.floor(random() * 3_000);
    const key = pick(['_items', 'SPThunderboltDataType', 'SPHardwareDataType', 'IPv4'], random);
    return `{"SPThunderboltDataType": [${`{"${key}": [`.repeat(depth)}${random() < 0.5 ? '' : text}${']}'.repeat(depth)}]}`;
  },
  (text) => `${text}${text}`,
  (text) => text.replaceAll('\n', '\r\n'),
  (text) => text.replaceAll(' ', ''),
  (text) => text.replaceAll('\t', ' '),
  (_, others, random) => pick(others, random),
  (text, others, random) => text + pick(others, random),
  (text) => text.replace(/[a-z]/gi, (letter) => String.fromCodePoint((letter.codePointAt(0) ?? 0) + 1)),
];
