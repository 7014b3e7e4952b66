import type { Awaitable } from "./store.ts";

/** A text that all users of a store share. Small and rarely written: what operators have changed, for example. */
export interface SharedDocument {
  /** Undefined: nobody has written it. */
  read(): Awaitable<DocumentText | undefined>;
  /** Writes it, if it still has this version (0: nobody has written it). False: somebody else was faster, so read again. */
  replace(version: number, text: string): Awaitable<boolean>;
}

export interface DocumentText {
  /** From 1; one more with each time that it is written. */
  readonly version: number;
  readonly text: string;
}
