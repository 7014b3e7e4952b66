/**
 * What an algorithm remembers about one key: a short list of integers.
 *
 * Stores keep it without understanding it.
 */
export type State = readonly number[];

/** Where an algorithm writes a state: a list that it may change, or a slab that holds many states in a row. */
export type Cells = number[] | Float64Array;

/** The answer to "may `cost` units pass at `now`?" All times are integer microseconds. */
export interface Verdict {
  readonly allowed: boolean;
  /** Whole units left afterwards. */
  readonly remaining: number;
  /** Time until `cost` units could pass: 0 when allowed, `Infinity` when they never will. */
  readonly retryAfter: number;
  /** Time until the key is as good as new, and its state may be forgotten. */
  readonly resetAfter: number;
  /** What undoes exactly this charge when it is handed back later, in the algorithm's own meaning. */
  readonly receipt: number;
}

/** A verdict and the state that goes with it. */
export interface Step extends Verdict {
  readonly state: State;
}

/** How a step treats the state it was given. */
export const Mode = {
  /** Charge if allowed. */
  take: 0,
  /** Decide, charge nothing, write nothing. */
  peek: 1,
  /** Charge even beyond the limit: work that has already been done. */
  force: 2,
} as const;
export type Mode = (typeof Mode)[keyof typeof Mode];

/** One record that is written anew by every {@link Algorithm.apply}: the hot path allocates nothing. */
export class Answer implements Verdict {
  allowed = false;
  remaining = 0;
  retryAfter = 0;
  resetAfter = 0;
  receipt = 0;

  /** A copy that will not change. */
  freeze(): Verdict {
    const { allowed, remaining, retryAfter, resetAfter, receipt } = this;
    return { allowed, remaining, retryAfter, resetAfter, receipt };
  }
}

/**
 * A rate limiting algorithm: arithmetic on integers, and nothing else.
 *
 * It reads no clock, keeps nothing between calls and never throws for a valid cost, so a store may
 * run it as it likes: in place, in a transaction, in a retry loop, or as its Lua twin inside Redis.
 */
export interface Algorithm {
  /** Names the arithmetic and the layout of its state in stores. */
  readonly name: string;
  /** The numbers that configure it. With the name they are the fingerprint of a stored state. */
  readonly params: readonly (number | string)[];
  /** Whether it goes on with states that the same algorithm has left under other numbers. @default false */
  readonly carries?: boolean;
  /** The greatest cost that can ever pass: what a quiet key has left. */
  readonly capacity: number;
  /** Integers in a state, or 0 when it grows with use. All zeros (or an empty list) is a new key. */
  readonly width: number;
  /** Whether `now` is time since some start, which only runs forward, or the time on the wall. */
  readonly clock: "elapsed" | "wall";

  /**
   * Decide about `cost` units at `now` for the state in `cells` at `offset`, in place.
   *
   * A refused step changes nothing, except that a state from the future (the clock was set back)
   * is brought back to `now`. A negative cost hands units back and is always allowed: with a
   * `receipt` those of that charge, as far as they still count, else the newest ones.
   */
  apply(cells: Cells, offset: number, now: number, cost: number, mode: Mode, receipt: number, answer: Answer): void;

  /** Whether the state equals that of a key never seen, so that it may be forgotten. */
  isFresh(cells: Cells, offset: number, now: number): boolean;

  /**
   * What a store has to keep so that units may be used for a while after it has granted them, and this
   * algorithm's bound still holds. Undefined, like the method, where that would cost too much of the limit.
   *
   * @param lease how long a granted unit should stay usable, in microseconds; the terms may say less
   */
  forLeases?(lease: number): LeaseTerms | undefined;

  /**
   * What a store has to keep so that this bound holds for units that are used up to `by` microseconds after they
   * were taken: calls that start a little after they were allowed to.
   */
  usedLate?(by: number): LateTerms;

  /** The same, but going on with what the same algorithm has left under other numbers: see `whenChanged` of a limiter. */
  carrying?(): Algorithm;

  /** One of `parts` equal shares of the limit, of one unit at least: what a process may allow by itself. */
  share?(parts: number): Algorithm;
}

/** How units of an algorithm can be granted ahead of their use. */
export interface LeaseTerms {
  /** What the store keeps in its place. */
  readonly algorithm: Algorithm;
  /** How long a granted unit stays usable, in microseconds. */
  readonly lease: number;
  /** Whether a unit is lost at the end of the window that it was granted in, as told by `resetAfter`. */
  readonly endsWithWindow: boolean;
  /** Whether units that nobody used may be handed back by receipt at any time, and the bound still holds. */
  readonly isReturnable: boolean;
  /** Units that flow back in a lease on average. */
  readonly perLease: number;
}

/** How units of an algorithm can be used later than they are taken. */
export interface LateTerms {
  /** What the store keeps in its place. */
  readonly algorithm: Algorithm;
  /** Whether a unit is lost at the end of the window that it was taken in, as told by `resetAfter`. */
  readonly endsWithWindow: boolean;
}

/** With fewer units than this per lease, shares of them are not worth the trouble. */
export const LEAST_PER_LEASE = 4;

/**
 * One step as a pure function: the given state stays as it is, the new one comes back.
 *
 * Stores that keep states elsewhere, the simulator and the laws run this; the arithmetic is the
 * same `apply`.
 */
export function step(
  algorithm: Algorithm,
  state: State | undefined,
  now: number,
  cost: number,
  mode: Mode = Mode.take,
  receipt = 0,
): Step {
  const cells = state === undefined ? emptyState(algorithm) : [...state];
  const answer = new Answer();
  algorithm.apply(cells, 0, now, cost, mode, receipt, answer);
  return { ...answer.freeze(), state: cells };
}

/** The state of a key never seen. */
export function emptyState({ width }: Algorithm): number[] {
  return new Array<number>(width).fill(0);
}

/** Tells apart states that different algorithms, or the same with other numbers, left in a store. */
export function fingerprint({ name, params, carries, clock }: Algorithm): string {
  return carries ? `${name}/carried/${clock}` : [name, ...params].join("/");
}
