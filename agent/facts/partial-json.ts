// Reads JSON that may be cut off or damaged: all that stands before the first mistake counts. It knows no format
// beyond JSON.

/** Deeper nesting is no output of any command here. */
const MAX_DEPTH = 64;
const NUMBER = /-?\d{1,400}(?:\.\d{1,400})?(?:[eE][+-]?\d{1,4})?/y;
const WORD = /true|false|null/y;
const STRING = /"[^"\\]*(?:\\[\s\S][^"\\]*)*"/y;
const SPACE = /[ \t\r\n]*/y;

export interface ReadJson {
  /** undefined when there was nothing to read */
  value: unknown;
  isWhole: boolean;
}

export function readJson(text: string): ReadJson {
  try {
    return { value: JSON.parse(text), isWhole: true };
  } catch {
    return { value: new Reader(text).read(0), isWhole: false };
  }
}

/** Stops at the first mistake; containers that were open then keep what they hold. */
class Reader {
  readonly #text: string;
  #at = 0;
  #isBroken = false;

  constructor(text: string) {
    this.#text = text;
  }

  read(depth: number): unknown {
    this.#take(SPACE);
    const next = this.#text[this.#at];
    if (depth > MAX_DEPTH) return this.#break();
    if (next === '{') return this.#object(depth);
    if (next === '[') return this.#array(depth);
    const token = this.#take(next === '"' ? STRING : next === '-' || isDigit(next) ? NUMBER : WORD);
    if (token === undefined) return this.#break();
    // a token that ends with the text may be the half of a longer one
    if (this.#at === this.#text.length && next !== '"') return this.#break();
    return this.#decode(token);
  }

  #array(depth: number): unknown[] {
    const items: unknown[] = [];
    this.#at += 1;
    if (this.#isAt(']')) return items;
    do {
      const item = this.read(depth + 1);
      if (item !== undefined) items.push(item);
    } while (!this.#isBroken && this.#isAt(','));
    if (!this.#isBroken && !this.#isAt(']')) this.#break();
    return items;
  }

  #object(depth: number): Record<string, unknown> {
    // without a prototype, so that no key is special
    const fields: Record<string, unknown> = Object.create(null);
    this.#at += 1;
    if (this.#isAt('}')) return fields;
    do {
      this.#take(SPACE);
      const key = this.#decode(this.#take(STRING) ?? '');
      if (typeof key !== 'string' || !this.#isAt(':')) {
        this.#break();
        return fields;
      }
      const value = this.read(depth + 1);
      if (value !== undefined) fields[key] = value;
    } while (!this.#isBroken && this.#isAt(','));
    if (!this.#isBroken && !this.#isAt('}')) this.#break();
    return fields;
  }

  #decode(token: string): unknown {
    try {
      return JSON.parse(token);
    } catch {
      return this.#break();
    }
  }

  #isAt(character: string): boolean {
    this.#take(SPACE);
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const token = pattern.exec(this.#text)?.[0];
    if (token !== undefined) this.#at += token.length;
    return token;
  }

  #break(): undefined {
    this.#isBroken = true;
    return undefined;
  }
}

function isDigit(character: string | undefined): boolean {
  return character !== undefined && character >= '0' && character <= '9';
}

/** Whether it is an object with named fields. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
