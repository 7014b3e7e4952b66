import type { Charge, Correction, Holder, Note, QueueRequest, Ticket } from "../../limiter/shared-queue.ts";

/** A ticket that is to enter: where it stands, on the clock's elapsed time. */
export interface EnteringTicket extends Omit<Ticket, "offset"> {
  readonly order: number;
}

/** What is to be said to a shared queue: gathered, sent at once, and said again if nobody heard. */
export class Outbox {
  readonly #enter = new Map<number, EnteringTicket>();
  readonly #leave = new Set<number>();
  readonly #ended: Holder[] = [];
  readonly #unused: Charge[] = [];
  readonly #corrections: Correction[] = [];
  #pausedUntil = -Infinity;
  #cutFor = Infinity;
  #note: Note | undefined;

  enter(ticket: EnteringTicket): void {
    this.#enter.set(ticket.id, ticket);
  }

  /** Whether that has to be said: one that has not been sent yet needs no leaving. */
  leave(id: number): boolean {
    if (this.#enter.delete(id)) return false;
    this.#leave.add(id);
    return true;
  }

  ended(holder: Holder): void {
    this.#ended.push(holder);
  }

  unused(charge: Charge): void {
    this.#unused.push(charge);
  }

  correct(correction: Correction): void {
    this.#corrections.push(correction);
  }

  pause(until: number): void {
    this.#pausedUntil = Math.max(this.#pausedUntil, until);
  }

  cut(startedAt: number): void {
    this.#cutFor = Math.min(this.#cutFor, startedAt);
  }

  note(note: Note): void {
    if (this.#note === undefined || note.rank >= this.#note.rank) this.#note = note;
  }

  get isEmpty(): boolean {
    const lists = [this.#ended, this.#unused, this.#corrections];
    const isQuiet = this.#enter.size + this.#leave.size === 0 && lists.every(({ length }) => length === 0);
    return isQuiet && this.#pausedUntil === -Infinity && this.#cutFor === Infinity && this.#note === undefined;
  }

  /** Everything that is to be said, which then is said; and what to do when nobody heard it. */
  take(now: number): { readonly request: QueueRequest; unheard(): void } {
    const all = {
      enter: [...this.#enter.values()].map(({ order, ...ticket }) => ({ ...ticket, offset: Math.round(order - now) })),
      leave: [...this.#leave],
      ended: this.#ended.splice(0),
      unused: this.#unused.splice(0),
      corrections: this.#corrections.splice(0),
    };
    const [pausedUntil, cutFor, note] = [this.#pausedUntil, this.#cutFor, this.#note];
    this.#enter.clear();
    this.#leave.clear();
    [this.#pausedUntil, this.#cutFor, this.#note] = [-Infinity, Infinity, undefined];
    const parts = Object.entries(all).filter(([, list]) => list.length > 0);
    return {
      request: {
        ...Object.fromEntries(parts),
        ...(pausedUntil > now && { pause: Math.ceil(pausedUntil - now) }),
        ...(cutFor < Infinity && { cut: Math.max(0, Math.floor(now - cutFor)) }),
        ...(note !== undefined && { note }),
      },
      // It may have been heard all the same. To give a unit back twice would let too many pass, so that is not said
      // again; places have names, and can go back twice.
      unheard: () => {
        for (const id of all.leave) this.#leave.add(id);
        this.#ended.push(...all.ended, ...all.unused.map(({ id, lane, cost }) => ({ id, lane, cost })));
        this.#corrections.push(...all.corrections.filter(({ cost }) => cost > 0));
        this.pause(pausedUntil);
        if (cutFor < Infinity) this.cut(cutFor);
        if (note !== undefined) this.note(note);
      },
    };
  }
}
