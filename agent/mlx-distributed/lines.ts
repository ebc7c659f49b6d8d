// Bytes of a child's output to whole lines. One that is longer than a limit is no line of ours: the child is out of order.

export class LineReader {
  readonly #maxBytes: number;
  readonly #onLine: (line: string) => void;
  readonly #onOverflow: () => void;
  #parts: Buffer[] = [];
  #bytes = 0;

  constructor(maxBytes: number, onLine: (line: string) => void, onOverflow: () => void) {
    this.#maxBytes = maxBytes;
    this.#onLine = onLine;
    this.#onOverflow = onOverflow;
  }

  push(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      this.#parts.push(chunk.subarray(start, end));
      const line = Buffer.concat(this.#parts).toString('utf8');
      this.#parts = [];
      this.#bytes = 0;
      start = end + 1;
      if (end > this.#maxBytes && line.length > this.#maxBytes) this.#onOverflow();
      else if (line.trim() !== '') this.#onLine(line);
    }
    const rest = chunk.subarray(start);
    if (rest.length === 0) return;
    this.#bytes += rest.length;
    if (this.#bytes > this.#maxBytes) {
      this.#parts = [];
      this.#bytes = 0;
      this.#onOverflow();
    } else this.#parts.push(rest);
  }
}
