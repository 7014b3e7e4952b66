/** A reply of the script, read from its beginning to its end. */
export interface Reader {
  /** The time of the reply, in microseconds. */
  readonly now: number;
  next(): number;
  /** What `next` will say. */
  peek(): number;
  readTime(): number;
}

export function reader(text: unknown): Reader {
  const reply = JSON.parse(String(text)) as readonly number[];
  let at = 0;
  let now = 0;
  const next = () => reply[at++]!;
  return {
    get now() {
      return now;
    },
    next,
    peek: () => reply[at]!,
    readTime() {
      now = next();
      return now;
    },
  };
}
