/** Urgency of a call. */
export type Priority = "high" | "normal" | "low";

/** In the order in which they go first. */
export const PRIORITIES: readonly Priority[] = ["high", "normal", "low"];

/**
 * Where a call stands, as if it had come so much later than it did: a call is overtaken only by more urgent calls
 * that come within this time after it, so none starves. In milliseconds.
 */
const PRIORITY_OFFSET_MS: Readonly<Record<Priority, number>> = { high: 0, normal: 10_000, low: 30_000 };

/** What a call has taken of the limits. */
export interface Started {
  /** Names its places. */
  readonly id: number;
  readonly receipts: readonly number[];
  /** Units that were left of each limit, where others share them. */
  readonly left?: readonly number[];
}

/**
 * The same, as it is kept: nearly all calls have taken units of one window and nothing else, in one process. Then the
 * receipt is all that is known, and each call would have an object for it.
 */
export type Units = Started | number;

/** In one process nobody asks for a call by name. */
export const NAMELESS = 0;

export const startedOf = (units: Units): Started =>
  typeof units === "number" ? { id: NAMELESS, receipts: [units] } : units;

/** A call that waits to start. */
export abstract class QueuedCall {
  /** `~tenant~endpoint`. */
  readonly lane: string;
  readonly cost: number;
  /** 0 to 2: its place in `PRIORITIES`. */
  readonly rank: number;
  /** When it came, on the clock's elapsed time in microseconds. */
  readonly arrivedAt: number;
  /** When it must have started. */
  readonly deadline: number;
  readonly signal: AbortSignal | undefined;
  isWaiting = false;
  /** It has been taken out of the queue to ask for its units, under this name; 0: it stands in the queue. */
  ticket = 0;
  /** It has stood in line before, and keeps its order. */
  isAgain = false;

  constructor(
    lane: string,
    cost: number,
    rank: number,
    arrivedAt: number,
    deadline: number,
    signal: AbortSignal | undefined,
  ) {
    this.lane = lane;
    this.cost = cost;
    this.rank = rank;
    this.arrivedAt = arrivedAt;
    this.deadline = deadline;
    this.signal = signal;
  }

  /** Where it stands among the calls of its lane. */
  get order(): number {
    return this.arrivedAt + OFFSETS[this.rank]!;
  }

  /** It has its units, since `takenAt`: it starts now. */
  abstract start(units: Units, takenAt?: number): void;
  /** It will not start. */
  abstract refuse(error: unknown): void;
}

const OFFSETS = PRIORITIES.map((priority) => PRIORITY_OFFSET_MS[priority] * 1000);
