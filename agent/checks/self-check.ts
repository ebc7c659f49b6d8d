// The agent's checks of its own machine: one at a time, whoever asks meanwhile gets the same answer.
import type { NodeCheck } from '../../protocol/doctor.ts';
import type { MachineFacts } from '../../protocol/facts.ts';
import { gatherFacts } from '../facts/gather.ts';
import { checkNode } from './check-node.ts';

export class SelfCheck {
  readonly #about: { id: string; name: string; home: string };
  readonly #facts: () => MachineFacts | undefined;
  readonly #tell: (check: NodeCheck) => void;
  #isRunning = false;

  /** @param facts the last ones; while there are none they are gathered */
  constructor(
    about: { id: string; name: string; home: string },
    facts: () => MachineFacts | undefined,
    tell: (check: NodeCheck) => void,
  ) {
    this.#about = about;
    this.#facts = facts;
    this.#tell = tell;
  }

  run(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    void this.#check().finally(() => {
      this.#isRunning = false;
    });
  }

  async #check(): Promise<void> {
    const machine = this.#facts() ?? (await gatherFacts());
    this.#tell(await checkNode({ ...this.#about, machine }));
  }
}
