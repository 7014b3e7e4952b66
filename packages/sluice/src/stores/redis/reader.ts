import type { ScriptReply } from "./types.ts";

/** A reply of the script, read from its beginning to its end. */
export interface Reader {
  /** The time of the reply, in microseconds. */
  readonly now: number;
  next(): number;
  /** What `next` will say. */
  peek(): number;
  readTime(): void;
  /** Skips a sign and reads the time after it. */
  skipToTime(): number;
}

export function reader(reply: ScriptReply): Reader {
  let at = 0;
  let now = 0;
  const next = () => Number(reply[at++]);
  const readTime = () => {
    now = next() * 1_000_000 + next();
  };
  return {
    get now() {
      return now;
    },
    next,
    peek: () => Number(reply[at]),
    readTime,
    skipToTime() {
      at++;
      readTime();
      return now;
    },
  };
}
