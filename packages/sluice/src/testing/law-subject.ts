import type { Algorithm } from "../algorithms/algorithm.ts";

/** An algorithm together with what its documentation promises: what the laws hold it to. */
export interface LawSubject {
  readonly algorithm: Algorithm;
  /** Most units that start within `span` microseconds of each other (the first and the last included). */
  bound(span: number): number;
  /**
   * No key waits longer for a cost that can pass, whatever it has used and wherever the clock was set
   * to, unless a charge was forced. In microseconds.
   */
  readonly longestWait: number;
  /**
   * Handing units back may leave others to return this much later than if nothing had happened. In microseconds.
   *
   * @default 0
   */
  readonly blur?: number;
}

/** One call in the life of a key. */
export interface LawCall {
  /** Microseconds since the call before. */
  readonly wait: number;
  /** Waits first for as long as the call before was told to. */
  readonly isPatient: boolean;
  readonly cost: number;
  /** Its units are handed back at once. */
  readonly isUndone: boolean;
}
