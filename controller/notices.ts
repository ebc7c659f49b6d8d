// What is told to people: in the log, and as the events of the status. What strangers can make it say is limited.
import type { Logger } from 'pino';
import { LimitedLog } from '../protocol/limited-log.ts';
import { EventLog } from './status.ts';

type Level = 'info' | 'warn' | 'error';

/** Beside the text of what is told to people. */
interface About {
  level: Level;
  fix?: string;
}

export class Notices {
  readonly events = new EventLog();
  readonly #log: Logger;
  /** what anybody on the network can make this process say */
  readonly #ofStrangers = new LimitedLog<About>((text, about) => {
    const { level, fix } = about ?? { level: 'warn' };
    this.#tell(level, text, fix, true);
  });

  constructor(log: Logger) {
    this.#log = log;
  }

  note(level: Level, text: string, fix?: string): void {
    this.#tell(level, text, fix);
  }

  /** The same for what anybody on the network can bring about. */
  noteOfStranger(text: string, about: About): void {
    this.#ofStrangers.note(text, about);
  }

  /** Said once until something else is said: a refused node is tried again and again. */
  noteRefusal(text: string): void {
    if (!this.events.has(text)) this.#ofStrangers.note(text, { level: 'error' });
  }

  close(): void {
    this.#ofStrangers.close();
  }

  #tell(level: Level, text: string, fix?: string, isOfStranger?: boolean): void {
    this.#log[level](fix ? { fix } : {}, text);
    this.events.add(level, text, fix, isOfStranger);
  }
}
