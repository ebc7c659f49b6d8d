// The first stage's end of the hop to a draft on another node: dials it, hands words to and fro, and finds out when the draft
// is gone. Whatever becomes of it costs guesses and nothing else.
import type { DraftLink } from '../../../protocol/draft.ts';
import type { Credentials } from '../../../protocol/identity.ts';
import { HOP_SILENCE_MS } from '../../../protocol/limits.ts';
import { SilenceWatch } from '../../silence-watch.ts';
import type { Frame } from '../frame.ts';
import { HopClient } from '../hop.ts';
import type { RemoteDraft } from './remote-draft.ts';

export interface DraftHopListener {
  onLinked(): void;
  /** once, also where it could never be reached */
  onUnlinked(reason: string): void;
  /** for how long this process itself may be blocked now */
  blockedMs(): number;
}

export class DraftHop {
  readonly #link: DraftLink;
  readonly #credentials: Credentials;
  readonly #source: RemoteDraft;
  readonly #listener: DraftHopListener;
  readonly #abort = new AbortController();
  #hop: HopClient | undefined;
  #silence: SilenceWatch | undefined;

  constructor(link: DraftLink, credentials: Credentials, source: RemoteDraft, listener: DraftHopListener) {
    this.#link = link;
    this.#credentials = credentials;
    this.#source = source;
    this.#listener = listener;
  }

  /** Never rejects: what goes wrong is told to the listener. */
  async dial(): Promise<void> {
    const { next, from, peer, token, draftEpoch: epoch } = this.#link;
    const { signal } = this.#abort;
    const hello = { epoch, fromStage: 0, hopToken: token };
    const keys = { credentials: this.#credentials, peer };
    const lost = (reason: string) => this.#lose(reason);
    try {
      const hop = await HopClient.dial(next, hello, keys, lost, from, signal, (frame) => this.#hear(frame));
      if (signal.aborted) return hop.close();
      this.#hop = hop;
    } catch (error) {
      return lost((error as Error).message);
    }
    this.#silence = new SilenceWatch({
      limitMs: HOP_SILENCE_MS,
      blockedMs: () => this.#listener.blockedMs(),
      onSilent: (silentMs) => lost(`nothing came for ${(silentMs / 1000).toFixed(1)} s`),
    });
    this.#source.attach((word) => this.#hop?.send({ kind: 'draft', epoch, word }));
    this.#listener.onLinked();
  }

  /** Tells the draft that this stage lives. */
  beat(busyMs: number): void {
    this.#hop?.beat(this.#link.draftEpoch, busyMs);
  }

  close(): void {
    this.#abort.abort();
    this.#silence?.stop();
    this.#hop?.close();
    this.#hop = undefined;
    this.#source.detach();
  }

  #hear(frame: Frame): void {
    this.#silence?.heard(frame.kind === 'beat' ? frame.busyMs : undefined);
    if (frame.kind === 'beat') return;
    const wrong =
      frame.kind === 'draft' ? this.#source.receive(frame.word) : `a ${frame.kind} frame is no draft's`;
    if (wrong !== undefined) this.#lose(wrong);
  }

  #lose(reason: string): void {
    if (this.#abort.signal.aborted) return;
    this.close();
    this.#listener.onUnlinked(reason);
  }
}
