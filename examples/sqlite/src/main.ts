// An MCP server over stdio is started once by each of its clients, and all these processes use one upstream account. Here four
// of them start at once on a file that does not exist yet, and together get exactly what the account allows.
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLimiter } from "sluice";
import { sqliteStore } from "sluice/sqlite";

const QUOTA = "100/h";

/** One server: makes 60 calls, and says how many were allowed. */
async function serve(path: string): Promise<void> {
  const store = sqliteStore({ path, busyTimeoutMs: 10_000 });
  const upstream = createLimiter({ name: "upstream", quota: QUOTA, store });
  const decisions = await Promise.all(Array.from({ length: 60 }, () => upstream.consume("account")));
  await store.close();
  process.send!(decisions.filter(({ allowed }) => allowed).length);
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-example-"));
  const path = join(folder, "limits.db");
  try {
    const servers = Array.from(
      { length: 4 },
      () => new Promise<number>((resolve) => fork(import.meta.filename, [path]).once("message", resolve as () => void)),
    );
    const allowed = await Promise.all(servers);
    console.log(`Four processes made 60 calls each under ${QUOTA}. Allowed: ${allowed.join(" + ")}`);
    assert.equal(
      allowed.reduce((sum, one) => sum + one, 0),
      100,
    );

    const store = sqliteStore({ path });
    const { allowed: more, retryAfterMs } = await createLimiter({ name: "upstream", quota: QUOTA, store }).peek(
      "account",
    );
    console.log(
      `A process that starts later knows: allowed ${more}, again in ${Math.round(retryAfterMs / 60_000)} minutes.`,
    );
    assert.equal(more, false);
    await store.close();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const [, , file] = process.argv;
await (file === undefined ? main() : serve(file));
