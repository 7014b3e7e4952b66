import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createLimiter } from "sluice";
import { type SqliteDatabase, sqliteStore } from "sluice/sqlite";
import { describe, expect, it } from "vitest";
import { nodeSqlite } from "../../../src/stores/sqlite/version.ts";
import { likeBetterSqlite, newFolder, newPath, openStore } from "./files.ts";

const modeOf = (path: string) => statSync(path).mode & 0o777;

describe("the file", () => {
  it("is for its owner alone, and so are its companions", async () => {
    const path = newPath();
    await createLimiter({ quota: "1/min", store: openStore({ path }) }).consume("a");
    expect([path, `${path}-wal`, `${path}-shm`].map(modeOf)).toEqual([0o600, 0o600, 0o600]);
  });

  it("keeps the permissions that somebody gave it", () => {
    const path = newPath();
    writeFileSync(path, "");
    chmodSync(path, 0o640);
    openStore({ path });
    expect(modeOf(path)).toBe(0o640);
  });

  it("is left alone when it is something else", () => {
    const path = newPath();
    const letter = "Dear reader, this is not a database. ".repeat(100);
    writeFileSync(path, letter);
    expect(() => sqliteStore({ path })).toThrow(
      expect.objectContaining({ name: "StoreFileError", code: "STORE_FILE", message: expect.stringContaining(path) }),
    );
    expect(() => sqliteStore({ path })).toThrow("is not an SQLite database");
    expect(readFileSync(path, "utf8")).toBe(letter);
  });

  it("is left alone when it is damaged", async () => {
    const path = newPath();
    const store = openStore({ path });
    const limiter = createLimiter({ quota: "100/h", store });
    await Promise.all(Array.from({ length: 500 }, (_, i) => limiter.consume(`key-${i}`)));
    await store.close();
    const bytes = readFileSync(path);
    bytes.fill(0xee, 4096);
    writeFileSync(path, bytes);
    const decide = async () => {
      await createLimiter({ quota: "100/h", store: openStore({ path }) }).consume("key-1");
    };
    await expect(decide()).rejects.toMatchObject({ name: "StoreFileError", code: "STORE_FILE" });
    await expect(decide()).rejects.toThrow("is damaged");
    expect(readFileSync(path).equals(bytes)).toBe(true);
  });

  it.each([
    ["in a folder that is missing", () => join(newFolder(), "no", "limits.db"), "the folder"],
    ["that is a folder", newFolder, "it is a folder, but must be a file"],
    ["under a file", () => join(import.meta.filename, "limits.db"), "is not a folder"],
  ])("%s is a clear error", (_what, pathOf, message) => {
    const path = pathOf();
    expect(() => sqliteStore({ path })).toThrow(message);
    expect(() => sqliteStore({ path })).toThrow(expect.objectContaining({ code: "STORE_FILE" }));
  });

  it.each(["", ":memory:"])("named %j is a clear error", (path) => {
    expect(() => sqliteStore({ path })).toThrow("path must name a file");
  });

  it("that may not be written is a clear error, and so is one in such a folder", () => {
    const folder = join(newFolder(), "closed");
    mkdirSync(folder);
    const path = join(folder, "limits.db");
    writeFileSync(path, "");
    chmodSync(path, 0o444);
    chmodSync(folder, 0o555);
    const asNobody = (name: string) => {
      const source = `
        import { sqliteStore } from ${JSON.stringify(new URL("../../../src/stores/sqlite/sqlite.ts", import.meta.url).href)};
        if (process.getuid() === 0) process.seteuid(65534);
        try { sqliteStore({ path: ${JSON.stringify(name)} }); } catch (error) { console.log(error.code, error.message); }
      `;
      return runNode(source);
    };
    chmodSync(join(folder, ".."), 0o755);
    expect(asNobody(path)).toContain("STORE_FILE");
    expect(asNobody(path)).toContain("this user may not write it");
    expect(asNobody(join(folder, "new.db"))).toContain("this user may not write it");
    chmodSync(folder, 0o755);
  });

  it("on which write-ahead logging is not possible is a clear error", () => {
    const database = new DatabaseSync(newPath());
    const stubborn: SqliteDatabase = {
      exec: (sql) => database.exec(sql),
      prepare: (sql) => database.prepare(sql.replace("journal_mode = WAL", "journal_mode = DELETE")),
      close: () => database.close(),
    };
    expect(() => sqliteStore({ database: stubborn })).toThrow('its journal mode is "delete"');
    database.close();
  });
});

describe("the version of SQLite", () => {
  function withVersion(version: string): SqliteDatabase {
    const database = new DatabaseSync(":memory:");
    return {
      exec: (sql) => database.exec(sql),
      prepare: (sql) => database.prepare(sql.replace("sqlite_version()", `'${version}'`)),
      close: () => database.close(),
    };
  }

  it.each(["3.51.3", "3.51.10", "3.52.0", "3.53.4", "4.0.0", "3.50.7", "3.50.12", "3.44.6"])(
    "%s is safe",
    (version) => {
      expect(() => sqliteStore({ database: withVersion(version) })).not.toThrow();
    },
  );

  it.each(["3.51.2", "3.51.0", "3.50.6", "3.49.9", "3.46.1", "3.45.0", "3.44.5", "3.7.0", "2.8.17"])(
    "%s is refused, with the reason and what to do",
    (version) => {
      const open = () => sqliteStore({ database: withVersion(version) });
      expect(open).toThrow(expect.objectContaining({ name: "SqliteVersionError", code: "SQLITE_VERSION" }));
      expect(open).toThrow(`SQLite ${version} can corrupt a file that several processes write (the WAL-reset bug)`);
      expect(open).toThrow("Use Node 22.22.3, 24.15.0, 25.9.0, 26 or later");
    },
  );

  it("is missing on a Node without node:sqlite: that is said when a store is made", () => {
    expect(() => nodeSqlite(() => undefined)).toThrow("which has no node:sqlite. Use Node 22.22.3");
    expect(() => nodeSqlite(undefined)).not.toThrow();
  });
});

describe("closing", () => {
  it("closes the file that the store opened, after the decisions that are under way", async () => {
    const path = newPath();
    const store = openStore({ path });
    const decision = createLimiter({ quota: "1/min", store }).consume("a");
    await Promise.all([store.close(), store.close()]);
    expect((await decision).allowed).toBe(true);
    expect(existsSync(`${path}-wal`)).toBe(false);
    await expect(createLimiter({ quota: "1/min", store }).consume("a")).rejects.toThrow("is closed");
  });

  it("leaves a handle open that was passed in", async () => {
    const database = likeBetterSqlite(newPath());
    await openStore({ database }).close();
    expect(database.isOpen).toBe(true);
    database.close();
  });

  it("is not needed for a process to end", () => {
    const source = `
      import { createLimiter } from ${JSON.stringify(new URL("../../../src/index.ts", import.meta.url).href)};
      import { sqliteStore } from ${JSON.stringify(new URL("../../../src/stores/sqlite/sqlite.ts", import.meta.url).href)};
      const store = sqliteStore({ path: ${JSON.stringify(newPath())} });
      console.log((await createLimiter({ quota: "1/min", store }).consume("a")).allowed);
    `;
    expect(runNode(source)).toBe("true\n");
  });
});

function runNode(source: string): string {
  return execFileSync(process.execPath, ["--no-warnings", "--input-type=module", "--eval", source], {
    encoding: "utf8",
    timeout: 25_000,
  });
}
