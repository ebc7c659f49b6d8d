// What keeps a bench from measuring, for the people who run it: what is wrong, and what to do about it. It is not one
// of the product's registered errors, because no user of a cluster can meet it.

export class BenchError extends Error {
  /** a command, or an act */
  readonly fix: string;

  constructor(message: string, fix: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'BenchError';
    this.fix = fix;
  }
}
