import type {
  Charge,
  Grant,
  Holder,
  QueueNews,
  QueueReply,
  QueueRequest,
  Ticket,
} from "../../../src/limiter/shared-queue.ts";

/** A call that waits, runs, or has run. */
export interface Call {
  readonly lane: string;
  readonly cost: number;
  readonly offset: number;
  readonly lasts: number;
}

export interface ClientOptions {
  /** Monotonic, in microseconds. */
  now(): number;
  after(microseconds: number, action: () => void): void;
  random(): number;
  /** Send a request: `answered` hears the reply, perhaps late, perhaps never. */
  send(request: QueueRequest, answered: (reply: QueueReply) => void): void;
  /** Between two of its requests at most. */
  readonly heartbeat: number;
  /** A request that is not answered in this time has failed: nobody knows whether it was done. @default 60_000 */
  readonly patience?: number;
  started(call: Call, grant: Grant): void;
  finished(call: Call): void;
}

/** Samples of the store's clock are good for so long. */
const SAMPLE_LIFE = 5_000_000;

/** One process in the line: the protocol that owners of tickets follow, as small as it can be. */
export class Client {
  readonly #waiting = new Map<number, { readonly call: Call; readonly since: number }>();
  readonly #running = new Map<number, Charge>();
  /** Grants that were seen: news may come twice. */
  readonly #seen = new Set<number>();
  readonly #options: ClientOptions;
  #unused: Charge[] = [];
  #ended: Holder[] = [];
  #leave: number[] = [];
  #enter: Ticket[] = [];
  #isAsking = false;
  #shouldAsk = false;
  #isInDoubt = false;
  #askedAt = 0;
  #wakeAt = Infinity;
  /** Store's time minus ours, never too small: the reply was made after the request was sent. */
  #samples: { readonly at: number; readonly ahead: number }[] = [];

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#beat();
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  run(call: Call): () => void {
    const ticket = this.#stand(call, this.#options.now());
    this.#ask();
    return () => {
      const [id] = [...this.#waiting].find(([, one]) => one.call === call) ?? [ticket];
      if (!this.#waiting.delete(id)) return;
      this.#leave.push(id);
      this.#ask();
    };
  }

  /** What the store tells of its own accord. */
  hear({ grants, wakeAfter, now }: QueueNews): void {
    const ahead = Math.min(...this.#samples.map((sample) => sample.ahead));
    // News from beyond what its clock can show by now: it was set forward.
    if (now > this.#options.now() + ahead) this.#samples = [];
    for (const grant of grants) this.#grant(grant, this.#options.now() + ahead - grant.at);
    this.#wake(wakeAfter);
  }

  #stand(call: Call, since: number): number {
    const id = 1 + Math.floor(this.#options.random() * 2 ** 48);
    const late = this.#options.now() - since;
    this.#waiting.set(id, { call, since });
    this.#enter.push({ id, lane: call.lane, cost: call.cost, offset: call.offset - late });
    return id;
  }

  #ask(): void {
    const { now, after, send, patience = 60_000 } = this.#options;
    this.#shouldAsk = true;
    if (this.#isAsking) return;
    const request: QueueRequest = {
      unused: this.#unused,
      ended: this.#ended,
      running: [...this.#running.values()],
      leave: this.#leave,
      enter: this.#enter,
      ...(this.#isInDoubt && { waiting: [...this.#waiting.keys()] }),
    };
    [this.#unused, this.#ended, this.#leave, this.#enter] = [[], [], [], []];
    [this.#isAsking, this.#shouldAsk, this.#isInDoubt] = [true, false, false];
    const sentAt = now();
    this.#askedAt = sentAt;
    let isOpen = true;
    const close = () => {
      isOpen = false;
      this.#isAsking = false;
    };
    send(request, (reply) => {
      this.#samples = this.#samples.filter(({ at }) => at > now() - SAMPLE_LIFE);
      this.#samples.push({ at: now(), ahead: reply.now - sentAt });
      for (const grant of reply.grants) this.#grant(grant, now() - sentAt);
      this.#wake(reply.wakeAfter);
      if (!isOpen) return;
      close();
      for (const id of reply.missing) this.#giveUp(id);
      if (this.#shouldAsk) this.#ask();
    });
    after(patience, () => {
      if (!isOpen) return;
      close();
      // Units that go back twice would be taken from others: they are lost. Places have names, and can go back twice.
      this.#ended.push(...(request.ended ?? []), ...(request.unused ?? []));
      this.#leave.push(...(request.leave ?? []));
      this.#isInDoubt = true;
      this.#ask();
    });
  }

  /** Its grant may have been lost, and its places with it; or it may be on its way, and comes too late. */
  #giveUp(id: number): void {
    const one = this.#waiting.get(id);
    if (one === undefined) return;
    this.#ended.push({ id, lane: one.call.lane, cost: one.call.cost });
    this.#standAgain(id);
  }

  /** Under a new name: a grant for the old one may be on its way. */
  #standAgain(id: number): void {
    const one = this.#waiting.get(id);
    if (one === undefined) return;
    this.#waiting.delete(id);
    this.#stand(one.call, one.since);
    this.#shouldAsk = true;
  }

  #grant(grant: Grant, age: number): void {
    if (this.#seen.has(grant.id)) return;
    this.#seen.add(grant.id);
    const { id, lane, cost, receipts } = grant;
    const charge: Charge = { id, lane, cost, receipts };
    const one = this.#waiting.get(id);
    if (one === undefined || !(age <= grant.usable)) {
      this.#unused.push(charge);
      this.#standAgain(id);
      this.#ask();
      return;
    }
    this.#waiting.delete(id);
    this.#running.set(id, charge);
    this.#options.started(one.call, grant);
    this.#options.after(one.call.lasts, () => {
      this.#running.delete(id);
      this.#ended.push(charge);
      this.#options.finished(one.call);
      this.#ask();
    });
  }

  #wake(wakeAfter: number | undefined): void {
    if (wakeAfter === undefined) return;
    const due = this.#options.now() + wakeAfter;
    if (this.#wakeAt > this.#options.now() && this.#wakeAt <= due) return;
    this.#wakeAt = due;
    this.#options.after(wakeAfter, () => {
      if (this.#wakeAt === due && this.#waiting.size > 0) this.#ask();
    });
  }

  #beat(): void {
    const { after, now, heartbeat } = this.#options;
    after(heartbeat, () => {
      if (this.#waiting.size + this.#running.size > 0 && now() - this.#askedAt >= heartbeat / 2) {
        this.#isInDoubt = true;
        this.#ask();
      }
      this.#beat();
    });
  }
}
