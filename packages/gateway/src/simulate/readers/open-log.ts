import { type FileHandle, open } from "node:fs/promises";
import type { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { CliError } from "../../cli/exit-code.ts";

const CHUNK_BYTES = 256 * 1024;

/**
 * The bytes of a log, unpacked if they are gzip. `-` is standard input.
 *
 * @throws CliError when it cannot be read
 */
export async function* bytesOf(file: string): AsyncGenerator<Buffer> {
  try {
    yield* file === "-" ? process.stdin : await unpacked(file);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "there is no such file" : message;
    throw new CliError(`The log ${file} cannot be read: ${why}.`, undefined, { cause });
  }
}

async function unpacked(file: string): Promise<Readable> {
  const handle = await open(file);
  const isPacked = await isGzip(handle);
  const stream = handle.createReadStream({ highWaterMark: CHUNK_BYTES, ...(isPacked !== undefined && { start: 0 }) });
  if (isPacked !== true) return stream;
  const unzipped = createGunzip({ chunkSize: CHUNK_BYTES });
  stream.on("error", (error) => unzipped.destroy(error));
  return stream.pipe(unzipped);
}

/** `undefined`: a pipe, which has no place to read from twice. */
async function isGzip(handle: FileHandle): Promise<boolean | undefined> {
  if (!(await handle.stat()).isFile()) return undefined;
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0);
  return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b;
}
