/** A table for people. Columns that are empty in all rows are left out. */
export function aligned(head: readonly string[], body: readonly (readonly string[])[]): string {
  const columns = [...head.keys()].filter((i) => body.some((row) => row[i] !== ""));
  const rows = [head, ...body];
  const widths = columns.map((i) => Math.max(...rows.map((row) => row[i]!.length)));
  return rows
    .map(
      (row) =>
        `${columns
          .map((i, at) => row[i]!.padEnd(widths[at]!))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("");
}
