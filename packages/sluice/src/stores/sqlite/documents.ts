import type { DocumentText } from "../../limiter/shared-document.ts";
import type { SqliteDatabase } from "./types.ts";

export const DOCUMENT_SCHEMA = `
  CREATE TABLE IF NOT EXISTS sluice_documents_1 (
    name BLOB PRIMARY KEY,
    version INTEGER NOT NULL,
    text BLOB NOT NULL
  ) WITHOUT ROWID;`;

/** The shared texts in a file. Everything happens inside a transaction of the caller's. */
export interface DocumentTable {
  read(name: string): DocumentText | undefined;
  replace(name: string, version: number, text: string): boolean;
}

export function documentTable(database: SqliteDatabase): DocumentTable {
  const select = database.prepare("SELECT version, text FROM sluice_documents_1 WHERE name = ?");
  const write = database.prepare("INSERT OR REPLACE INTO sluice_documents_1 VALUES (?, ?, ?)");
  const read = (name: string): DocumentText | undefined => {
    const row = select.get(Buffer.from(name)) as { version: number | bigint; text: Uint8Array } | undefined;
    return row && { version: Number(row.version), text: Buffer.from(row.text).toString() };
  };
  return {
    read,
    replace(name, version, text) {
      if ((read(name)?.version ?? 0) !== version) return false;
      write.run(Buffer.from(name), version + 1, Buffer.from(text));
      return true;
    },
  };
}
