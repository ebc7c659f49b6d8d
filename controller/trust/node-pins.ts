// The nodes that this controller is paired with: their keys and names, kept in its home. It must not know where they are.
import { join } from 'node:path';
import { z } from 'zod';
import { EspalierError } from '../../protocol/errors.ts';
import { readOwnFile, writeOwnFile } from '../../protocol/home-files.ts';
import { type Fingerprint, idOf } from '../../protocol/identity.ts';
import { MAX_PAIRED_NODES } from '../../protocol/limits.ts';
import { Pin } from '../../protocol/pairing.ts';

const File = z.array(Pin).max(MAX_PAIRED_NODES);

export class NodePins {
  readonly #path: string;
  /** by the node's id */
  readonly #pins: Map<string, Pin>;

  private constructor(path: string, pins: readonly Pin[]) {
    this.#path = path;
    this.#pins = new Map(pins.map((pin) => [idOf(pin.fingerprint), pin]));
  }

  /** Reads them from the home. @throws EspalierError home_damaged */
  static open(home: string): NodePins {
    const path = join(home, 'nodes.json');
    const text = readOwnFile(path);
    if (text === undefined) return new NodePins(path, []);
    try {
      return new NodePins(path, File.parse(JSON.parse(text)));
    } catch {
      throw new EspalierError(
        'home_damaged',
        `${path} is damaged: it says which nodes are paired. Put it back from a backup; or remove it and pair all nodes anew.`,
      );
    }
  }

  get all(): readonly Pin[] {
    return [...this.#pins.values()];
  }

  has(fingerprint: Fingerprint): boolean {
    return this.#pins.get(idOf(fingerprint))?.fingerprint === fingerprint;
  }

  byId(nodeId: string): Pin | undefined {
    return this.#pins.get(nodeId);
  }

  /** @param nameOrId as people call it */
  find(nameOrId: string): Pin | undefined {
    return this.#pins.get(nameOrId) ?? this.all.find(({ name }) => name === nameOrId);
  }

  /** @throws EspalierError home_not_writable: then it is not paired; pairing_failed at MAX_PAIRED_NODES */
  add(pin: Pin): void {
    if (this.#pins.size >= MAX_PAIRED_NODES && !this.#pins.has(idOf(pin.fingerprint)))
      throw new EspalierError('pairing_failed', `${MAX_PAIRED_NODES} nodes are paired: unpair some first`);
    this.#save([...this.all.filter(({ fingerprint }) => fingerprint !== pin.fingerprint), pin]);
    this.#pins.set(idOf(pin.fingerprint), pin);
  }

  /** From now on it is a stranger, even if that could not be written. @throws EspalierError home_not_writable */
  remove(nodeId: string): void {
    this.#pins.delete(nodeId);
    this.#save(this.all);
  }

  /** A node was given another name. @throws EspalierError home_not_writable: until a restart it has it nonetheless */
  rename(nodeId: string, name: string): void {
    const pin = this.#pins.get(nodeId);
    if (!pin || pin.name === name) return;
    this.#pins.set(nodeId, { ...pin, name });
    this.#save(this.all);
  }

  #save(pins: readonly Pin[]): void {
    writeOwnFile(this.#path, `${JSON.stringify(pins, null, 2)}\n`);
  }
}
