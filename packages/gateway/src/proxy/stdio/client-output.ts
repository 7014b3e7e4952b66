import type { Writable } from "node:stream";

const NEWLINE = 0x0a;

/** What the client reads: the bytes of the server as they come, and lines of ours only between two lines of the server. */
export interface ClientOutput {
  /** Bytes of the server. Returns false when there is too much: wait for `drain`. */
  write(chunk: Buffer): boolean;
  /** A line of ours, without its newline. */
  insert(line: string): void;
  /** Whether all that the server has begun is ended. */
  readonly isBetweenLines: boolean;
}

export function clientOutput(stream: Writable): ClientOutput {
  let isWithinLine = false;
  let queued: string[] = [];
  return {
    get isBetweenLines() {
      return !isWithinLine;
    },
    write(chunk) {
      const goesOn = stream.write(chunk);
      isWithinLine = chunk[chunk.length - 1] !== NEWLINE;
      if (isWithinLine || queued.length === 0) return goesOn;
      const lines = queued;
      queued = [];
      return stream.write(lines.join(""));
    },
    insert(line) {
      if (isWithinLine) queued.push(`${line}\n`);
      else stream.write(`${line}\n`);
    },
  };
}
