// The line in which requests wait for a session: who is before whom, as the head's scheduler admits them. Pure: times
// come from the caller. It must not know tokens or dialects.

export interface Place {
  /** requests that get a session before this one; undefined once it has one */
  ahead(): number | undefined;
  /** when it got a session; undefined while it waits */
  readonly admittedAtMs: number | undefined;
  leave(nowMs: number): void;
}

interface Standing {
  isBackground: boolean;
  admittedAtMs: number | undefined;
}

export class Line {
  readonly #sessions: number;
  readonly #running = new Set<Standing>();
  readonly #waiting: Standing[] = [];

  /** @param sessions that the stages hold at once */
  constructor(sessions: number) {
    this.#sessions = sessions;
  }

  /** @param isBackground whether all others come before it */
  join(isBackground: boolean, nowMs: number): Place {
    const standing: Standing = { isBackground, admittedAtMs: undefined };
    const behind = isBackground ? -1 : this.#waiting.findIndex((other) => other.isBackground);
    this.#waiting.splice(behind < 0 ? this.#waiting.length : behind, 0, standing);
    this.#admit(nowMs);
    return {
      ahead: () => {
        const place = this.#waiting.indexOf(standing);
        return place < 0 ? undefined : place;
      },
      get admittedAtMs() {
        return standing.admittedAtMs;
      },
      leave: (leftAtMs) => {
        if (!this.#running.delete(standing)) {
          const place = this.#waiting.indexOf(standing);
          if (place >= 0) this.#waiting.splice(place, 1);
        }
        this.#admit(leftAtMs);
      },
    };
  }

  #admit(nowMs: number): void {
    while (this.#running.size < this.#sessions) {
      const next = this.#waiting.shift();
      if (!next) return;
      next.admittedAtMs = nowMs;
      this.#running.add(next);
    }
  }
}
