// Which methods each path takes: for the front page, and to tell a wrong method from a wrong path.

export class RouteTable {
  readonly #methods = new Map<string, Set<string>>();

  /** @param pattern a path that may end in `*`, or hold one `:id` */
  add(pattern: string, methods: string | readonly string[]): void {
    const known = this.#methods.get(pattern) ?? new Set();
    for (const method of [methods].flat()) known.add(method);
    this.#methods.set(pattern, known);
  }

  /** The methods that a path takes; none when there is no such path. */
  methodsOf(path: string): string[] {
    for (const [pattern, methods] of this.#methods) {
      if (matches(pattern, path)) return [...methods];
    }
    return [];
  }

  /** One line a route, for people. */
  list(): string[] {
    return [...this.#methods].map(([pattern, methods]) => {
      return `${[...methods].join('|').padEnd(8)} ${pattern.replace(/\*|:id/, 'ID')}`;
    });
  }
}

function matches(pattern: string, path: string): boolean {
  if (pattern.endsWith('*')) return path.startsWith(pattern.slice(0, -1));
  const [before = '', after] = pattern.split(':id');
  if (after === undefined) return path === pattern;
  if (!path.startsWith(before) || !path.endsWith(after)) return false;
  const id = path.slice(before.length, path.length - after.length);
  return id !== '' && !id.includes('/');
}
