/** What happened to units, and how often a store was needed: plain counters that only grow. */
export interface Books {
  /** Decisions that were made without asking the store. */
  hits: number;
  /** Calls of the shared store, of every kind. */
  storeCalls: number;
  /** Units that the store granted. */
  granted: number;
  /** Granted units that calls have used, less those that calls have handed back. */
  used: number;
  /** Granted units that went back to the store. */
  returned: number;
  /** Granted units that nobody used in time, and that could not go back. */
  expired: number;
  /** Times that the store was found to have lost what it knew about a key. */
  stateLosses: number;
}

export const newBooks = (): Books => ({
  hits: 0,
  storeCalls: 0,
  granted: 0,
  used: 0,
  returned: 0,
  expired: 0,
  stateLosses: 0,
});
