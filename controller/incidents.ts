// The incidents of a cluster, kept in the controller's home over restarts. A file that cannot be read or written costs
// its history and nothing else.
import { join } from 'node:path';
import type { Logger } from 'pino';
import { Incident, type IncidentsReport } from '../protocol/incidents.ts';
import { MAX_INCIDENTS } from '../protocol/limits.ts';
import type { IncidentOutcome, IncidentReport } from './cluster/state.ts';
import { LatestFile } from './latest-file.ts';

const FILE = 'incidents.jsonl';
const MAX_CHARS = 1_000;

export class Incidents {
  readonly #file: LatestFile;
  #incidents: Incident[];

  private constructor(file: LatestFile, incidents: Incident[]) {
    this.#file = file;
    this.#incidents = incidents;
  }

  /** @param home ESPALIER_HOME, which exists */
  static async open(home: string, log: Logger): Promise<Incidents> {
    const file = new LatestFile(join(home, FILE), log);
    const parse = (text: string) => {
      const lines = text.split('\n').filter((line) => line !== '');
      return lines.map((line) => closed(Incident.parse(JSON.parse(line)))).slice(-MAX_INCIDENTS);
    };
    return new Incidents(file, (await file.read(parse, 'its history is lost')) ?? []);
  }

  /** the number of the newest one; 0 where there is none */
  get lastNumber(): number {
    return this.#incidents.at(-1)?.number ?? 0;
  }

  get report(): IncidentsReport {
    return { incidents: [...this.#incidents] };
  }

  begin({ number, node, code, seen, fix, requests }: IncidentReport): void {
    this.#incidents.push({
      number,
      at: Date.now(),
      node: node === undefined ? null : cut(node),
      code,
      seen: cut(seen),
      fix: fix === undefined ? null : cut(fix),
      requests,
      outcome: 'open',
      done: null,
      pause: { planMs: null, loadMs: null, linkMs: null, replayMs: null },
    });
    this.#incidents = this.#incidents.slice(-MAX_INCIDENTS);
    this.#save();
  }

  end({ numbers, outcome, done, planMs, loadMs, linkMs }: IncidentOutcome): void {
    this.#change(numbers, (incident) => {
      const pause = {
        planMs: planMs ?? null,
        loadMs: loadMs ?? null,
        linkMs: linkMs ?? null,
        replayMs: null,
      };
      return { ...incident, outcome, done: cut(done), pause };
    });
  }

  /** All requests that were interrupted have gone on. */
  resumed(numbers: readonly number[], replayMs: number): void {
    this.#change(numbers, (incident) => ({ ...incident, pause: { ...incident.pause, replayMs } }));
  }

  /** Resolves when everything is on the disk, or could not be written. */
  close(): Promise<void> {
    return this.#file.idle();
  }

  #change(numbers: readonly number[], change: (incident: Incident) => Incident): void {
    this.#incidents = this.#incidents.map((each) => (numbers.includes(each.number) ? change(each) : each));
    this.#save();
  }

  #save(): void {
    void this.#file.write(() => this.#incidents.map((each) => `${JSON.stringify(each)}\n`).join(''));
  }
}

/** Whoever could have ended it is gone. */
function closed(incident: Incident): Incident {
  if (incident.outcome !== 'open') return incident;
  return { ...incident, outcome: 'impossible', done: 'the controller ended before it was over' };
}

function cut(text: string): string {
  return text.length <= MAX_CHARS ? text : `${text.slice(0, MAX_CHARS - 1)}…`;
}
