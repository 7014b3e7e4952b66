import { CliError } from "../../cli/exit-code.ts";
import type { LoggedCall } from "../logged-call.ts";
import { csvCalls } from "./csv-log.ts";
import { FORMATS, type Format, formatOf, type LineReader, lineReader, type Read } from "./formats.ts";
import { type InOrder, inOrder } from "./in-order.ts";
import { type Lines, LONGEST_LINE, linesOf } from "./lines.ts";
import { LEFT_OUT, type Mapping } from "./mapping.ts";
import type { Only } from "./only.ts";
import { bytesOf } from "./open-log.ts";
import { type Heads, heads } from "./sluice-line.ts";

export interface ReadLogOptions {
  /** @default what each file looks like */
  readonly format?: Format | undefined;
  readonly mapping?: Mapping;
  /** Of the format `text`: with a named group for each field. */
  readonly pattern?: RegExp | undefined;
  /** Only these records are calls. Not of records of ours, which have nothing else. */
  readonly only?: readonly Only[];
  /** How far back a call may stand, in milliseconds of the log. @default 10_000 */
  readonly reorderMs?: number | undefined;
  /** Opens a file. @default from the file system */
  readonly open?: (file: string) => AsyncIterable<Buffer>;
}

/** A line that is no call. */
interface BadLine {
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  readonly why: string;
}

/** What was read so far. */
export interface LogStats {
  readonly calls: number;
  readonly bad: number;
  /** The first of them. */
  readonly badLines: readonly BadLine[];
  readonly formats: ReadonlySet<Format>;
  readonly heads: Heads;
  readonly order: Pick<InOrder, "held" | "moved" | "late" | "latestMs">;
  /** What there was of arguments, headers and results: `argument.rows`, `header.x-team`, `result.usage`. */
  readonly seen: ReadonlySet<string>;
  /** Lines that were left out on purpose. */
  readonly leftOut: number;
  /** Calls without a duration. */
  readonly timeless: number;
  /** Calls at a whole second. */
  readonly wholeSeconds: number;
}

export interface Log {
  readonly batches: AsyncIterable<readonly LoggedCall[]>;
  readonly stats: LogStats;
}

const SHOWN_BAD_LINES = 10;
const LONGEST_WHY = 300;
const MOST_SEEN = 500;

/** Reads logs, one after the other, in memory that does not depend on their size. */
export function readLog(files: readonly string[], options: ReadLogOptions = {}): Log {
  const { mapping = new Map(), pattern, only = [], reorderMs, open = bytesOf } = options;
  const order = inOrder(reorderMs === undefined ? {} : { windowMs: reorderMs });
  const badLines: BadLine[] = [];
  const stats = {
    calls: 0,
    bad: 0,
    badLines,
    formats: new Set<Format>(),
    heads: heads(),
    order,
    seen: new Set<string>(),
    leftOut: 0,
    timeless: 0,
    wholeSeconds: 0,
  };

  function take(read: Read, file: string, line: number, calls: LoggedCall[]): void {
    if (read === undefined) return;
    if (read === LEFT_OUT) {
      stats.leftOut++;
      return;
    }
    if (typeof read === "string") {
      stats.bad++;
      if (badLines.length < SHOWN_BAD_LINES) badLines.push({ file, line, why: read.slice(0, LONGEST_WHY) });
      return;
    }
    stats.calls++;
    seeValues(read, stats.seen);
    if (read.durationMs === undefined) stats.timeless++;
    if (read.time % 1000 === 0) stats.wholeSeconds++;
    calls.push(read);
  }

  async function* callsOf(file: string): AsyncGenerator<readonly LoggedCall[]> {
    const chunks = open(file)[Symbol.asyncIterator]();
    const start = await firstLine(chunks);
    const format = options.format ?? formatOf(start.line) ?? unknown(file, start.line);
    stats.formats.add(format);
    const all = andThen(start.chunks, chunks);
    if (format === "csv") {
      for await (const rows of csvCalls(all, { mapping, only, longest: LONGEST_LINE })) {
        const calls: LoggedCall[] = [];
        for (const { line, read } of rows) take(read, file, line, calls);
        yield calls;
      }
      return;
    }
    const read = lineReader(format, { mapping, pattern, only, heads: stats.heads });
    for await (const lines of linesOf(all)) yield callsIn(lines, file, read);
  }

  function callsIn({ first, texts }: Lines, file: string, read: LineReader): readonly LoggedCall[] {
    const calls: LoggedCall[] = [];
    texts.forEach((text, i) => {
      if (text === undefined) take(`it is longer than ${LONGEST_LINE} characters`, file, first + i, calls);
      else if (text !== "" && text !== "\r") take(read(text), file, first + i, calls);
    });
    return calls;
  }

  async function* batches(): AsyncGenerator<readonly LoggedCall[]> {
    for (const file of files) for await (const calls of callsOf(file)) yield order.push(calls);
    yield order.end();
  }

  return { batches: batches(), stats };
}

function seeValues({ args, headers, result }: LoggedCall, seen: Set<string>): void {
  if (seen.size >= MOST_SEEN) return;
  for (const path in args) seen.add(`argument.${path}`);
  for (const name in headers) seen.add(`header.${name}`);
  for (const path in result) seen.add(`result.${path}`);
}

/** Enough of the file to see what it is. */
async function firstLine(chunks: AsyncIterator<Buffer>): Promise<{ line: string; chunks: Buffer[] }> {
  const read: Buffer[] = [];
  let text = "";
  while (!/\S[^\n]*\n/.test(text) && text.length <= LONGEST_LINE) {
    const { value, done } = await chunks.next();
    if (done) break;
    read.push(value);
    text += value.toString("utf8");
  }
  return {
    line: text
      .trimStart()
      .split("\n", 1)[0]!
      .trim()
      .replace(/^\ufeff/, ""),
    chunks: read,
  };
}

async function* andThen(first: readonly Buffer[], rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  yield* first;
  for (;;) {
    const { value, done } = await rest.next();
    if (done) return;
    yield value;
  }
}

function unknown(file: string, line: string): Format {
  if (line === "") return "json";
  throw new CliError(
    `Nobody can tell what kind of log ${file} is: it begins with ${JSON.stringify(line.slice(0, 80))}. Say it by --format: ${FORMATS.join(", ")}.`,
  );
}
