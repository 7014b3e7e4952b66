import type { Algorithm, Answer, Mode, State } from "../../algorithms/algorithm.ts";

/** The states of one ledger. */
export interface Table {
  /** That of the ledger that was opened last: several may share a table, when usage is carried over. */
  algorithm: Algorithm;
  readonly size: number;
  /** Decide about `key` in place. A key that is new is kept only if the step leaves something to remember. */
  apply(
    algorithm: Algorithm,
    key: string,
    now: number,
    cost: number,
    mode: Mode,
    receipt: number,
    answer: Answer,
  ): void;
  /** A copy of the state of `key`: the overflow state for a newcomer that the store has no room for. */
  read(key: string, now: number): State | undefined;
  forget(key: string): void;
  /** Look at up to `count` keys, in turn, and forget those that are as good as new. Returns how many it forgot. */
  sweep(now: number, count: number): number;
}

/** What the tables of one store share. */
export interface Room {
  /** Makes room for one more key, or says that there is none: then the newcomer shares the overflow state. */
  admit(table: Table, key: string, now: number): boolean;
  /** A key came or went. */
  added(key: string): void;
  removed(key: string): void;
}
