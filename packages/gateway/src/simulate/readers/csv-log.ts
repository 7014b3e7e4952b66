import { Readable } from "node:stream";
import { type CsvError, type Info, parse } from "csv-parse";
import type { Read } from "./formats.ts";
import { callReader, type Mapping } from "./mapping.ts";
import type { Only } from "./only.ts";

/** Rows in a row, each with the line on which it ends. */
export type Rows = readonly { readonly line: number; readonly read: Read }[];

const BATCH = 500;

interface CsvOptions {
  readonly mapping: Mapping;
  readonly only: readonly Only[];
  /** Characters of a row at most. */
  readonly longest: number;
}

/** Calls of a CSV file: its first row names the columns; comma, semicolon or tab are between them. */
export async function* csvCalls(
  chunks: AsyncIterable<Buffer>,
  { mapping, only, longest }: CsvOptions,
): AsyncGenerator<Rows> {
  const { read } = callReader(mapping, { only });
  let columns: ReadonlyMap<string, number> | undefined;
  const skipped: { line: number; read: string }[] = [];
  const parser = Readable.from(chunks).pipe(
    parse({
      bom: true,
      delimiter: [",", ";", "\t"],
      info: true,
      max_record_size: longest,
      relax_column_count: true,
      skip_empty_lines: true,
      skip_records_with_error: true,
      trim: true,
    }),
  );
  parser.on("skip", (error: CsvError & Info) => skipped.push({ line: error.lines, read: error.message }));
  let batch: { line: number; read: Read }[] = [];
  for await (const { record, info } of parser as AsyncIterable<{ record: readonly string[]; info: Info }>) {
    const line = info.lines;
    if (columns === undefined) {
      columns = new Map(record.map((name, i) => [name, i]));
      continue;
    }
    const known = columns;
    const wrong =
      record.length === known.size ? undefined : `it has ${record.length} columns, and the first row ${known.size}`;
    batch.push({
      line,
      read:
        wrong ??
        read((name) => {
          const at = known.get(name);
          return at === undefined ? undefined : record[at];
        }),
    });
    if (batch.length < BATCH) continue;
    yield [...skipped.splice(0), ...batch];
    batch = [];
  }
  yield [...skipped, ...batch];
}
