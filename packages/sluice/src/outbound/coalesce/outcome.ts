/** What came of a call, as it is given to each of those who share it. */
export interface Outcome<T> {
  /** It could be given to one caller only, and has been: the others have to make calls of their own. */
  readonly isGone: boolean;
  /** Whether it may be given to those who come later. */
  readonly isKeepable: boolean;
  /** Memory that it takes, as far as that is known. */
  readonly bytes: number;
  /** @param signal of the caller: whatever still comes in for him ends when it aborts */
  give(signal: AbortSignal | undefined): T;
}

/** A value that all callers may have. */
export function forAll<T>(value: T, bytes: number): Outcome<T> {
  return { isGone: false, isKeepable: true, bytes, give: () => value };
}
