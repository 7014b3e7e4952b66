import { closeSync, constants, fchmodSync, fstatSync, openSync, write } from "node:fs";

/** Lines on their way to the end of a file. */
export interface Appender {
  /** False: there is no room, and the line is lost. Never waits. */
  add(line: string): boolean;
  /** Resolves when everything that was added is in the file, or lost. */
  flush(): Promise<void>;
  /** Flushes, and closes the file. */
  close(): Promise<void>;
}

export interface AppenderOptions {
  readonly file: string;
  /** Bytes that may wait to be written. */
  readonly maxBufferedBytes: number;
  /** Beyond this size nothing more is written. */
  readonly maxFileBytes: number;
  /** Is told once that the file cannot be written, or is full. */
  readonly failed: (error: Error) => void;
}

/** A full file is looked at again after so many lines. */
const LOOK_EVERY = 100;

/** @throws what the file system says when the file cannot be opened */
export function appender({ file, maxBufferedBytes, maxFileBytes, failed }: AppenderOptions): Appender {
  const { O_APPEND, O_CREAT, O_WRONLY, O_NOFOLLOW = 0 } = constants;
  const fd = openSync(file, O_APPEND | O_CREAT | O_WRONLY | O_NOFOLLOW, 0o600);
  const about = fstatSync(fd);
  if (about.isFile()) fchmodSync(fd, 0o600);
  let size = about.size;
  let lines: string[] = [];
  let buffered = 0;
  let writing: Promise<void> | undefined;
  let isOver = false;
  let hasFailed = false;
  /** Lines that found no room since there was some. */
  let full = 0;

  function fail(error: Error): void {
    if (!hasFailed) failed(error);
    hasFailed = true;
  }

  /** Somebody who takes care of logs may have emptied the file. Looked at now and then. */
  function hasRoomAgain(bytes: number): boolean {
    if (full++ % LOOK_EVERY !== 0) return false;
    const { size: now } = fstatSync(fd);
    if (now + buffered + bytes > maxFileBytes) return false;
    size = now + buffered;
    full = 0;
    hasFailed = false;
    return true;
  }

  const writeAll = (bytes: Buffer): Promise<void> =>
    new Promise((resolve, reject) => {
      write(fd, bytes, 0, bytes.length, null, (error, written) => {
        if (error !== null) reject(error);
        else if (written < bytes.length) writeAll(bytes.subarray(written)).then(resolve, reject);
        else resolve();
      });
    });

  async function work(): Promise<void> {
    while (lines.length > 0) {
      const bytes = Buffer.from(lines.join(""));
      lines = [];
      try {
        await writeAll(bytes);
      } catch (cause) {
        fail(new Error(`The record ${file} cannot be written: ${(cause as Error).message}`, { cause }));
      }
      buffered -= bytes.length;
    }
    writing = undefined;
  }

  const flush = async (): Promise<void> => {
    while (writing !== undefined) await writing;
  };

  return {
    add(line) {
      if (isOver) return false;
      const bytes = Buffer.byteLength(line);
      if (size + bytes > maxFileBytes && !hasRoomAgain(bytes)) {
        fail(
          new Error(
            `The record ${file} is full: it has ${size} bytes. Move it away and start again, or raise its maximum.`,
          ),
        );
        return false;
      }
      if (buffered + bytes > maxBufferedBytes) return false;
      buffered += bytes;
      size += bytes;
      lines.push(line);
      writing ??= Promise.resolve().then(work);
      return true;
    },
    flush,
    async close() {
      if (isOver) return;
      isOver = true;
      await flush();
      closeSync(fd);
    },
  };
}
