const NEWLINE = 0x0a;

/**
 * Cuts a stream of bytes into lines, each with its newline. By bytes, because a chunk may end within a character.
 *
 * @param maxBytes a longer line is not kept: `tooLong` hears of it once, and it is gone up to its end
 */
export function lineCutter(
  maxBytes: number,
  onLine: (line: Buffer) => void,
  tooLong: () => void,
): { push(chunk: Buffer): void; end(): void } {
  let parts: Buffer[] = [];
  let size = 0;
  let isSkipping = false;

  function hold(part: Buffer): void {
    if (isSkipping) return;
    size += part.length;
    parts.push(part);
    if (size <= maxBytes) return;
    isSkipping = true;
    parts = [];
    tooLong();
  }

  function finish(last: Buffer): void {
    hold(last);
    const line = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
    const isWhole = !isSkipping;
    parts = [];
    size = 0;
    isSkipping = false;
    if (isWhole && line.length > 0) onLine(line);
  }

  return {
    push(chunk) {
      let from = 0;
      for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, from)) {
        finish(chunk.subarray(from, end + 1));
        from = end + 1;
      }
      if (from < chunk.length) hold(chunk.subarray(from));
    },
    /** What has no newline at the end of the stream is a line, too. */
    end() {
      if (size > 0 || isSkipping) finish(Buffer.alloc(0));
    },
  };
}
