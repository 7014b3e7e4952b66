import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { memoryStore } from "sluice";
import { createOverrides, type JsonRpcRequest, type Origin } from "sluice/mcp";
import { recordCalls } from "sluice/record";
import { manualClock } from "sluice/testing";
import { limitsOf } from "../../src/config/limits-of.ts";
import { createPolicies } from "../../src/config/policies.ts";
import { readConfig } from "../../src/config/read-config.ts";
import { seeded } from "./seeded.ts";

export interface LiveRun {
  /** What was recorded. */
  readonly file: string;
  /** Whether each call passed, in the order in which they came. */
  readonly passed: readonly (boolean | undefined)[];
}

/** Calls of some clients in front of the limits of a policy file, as the gateway makes them, while they are recorded. */
export async function liveRun(text: string, { calls = 160, seed = 1, sizes = 9 } = {}): Promise<LiveRun> {
  const config = readConfig(text, "sluice.yaml", {});
  const clock = manualClock({ wall: new Date("2026-11-23T23:58:00Z") });
  const store = memoryStore({ clock });
  const overrides = createOverrides({ store, name: "gateway" });
  const file = join(mkdtempSync(join(tmpdir(), "sluice-live-")), "calls.jsonl");
  const record = recordCalls({ file, clock, limits: limitsOf(config), holdMs: 1e9 });
  const { current: gate } = createPolicies({ config, store, overrides, record });
  const random = seeded(seed);
  const one = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)]!;
  const passed: (boolean | undefined)[] = [];

  async function call(nth: number): Promise<void> {
    const args = {
      size: Math.floor(random() * 9),
      repo: one(["a", "b", "c"]),
      page: { size: `${Math.floor(random() * Math.min(5, sizes))}` },
    };
    const params = { name: one(["search", "fetch", "export"]), arguments: args };
    const request: JsonRpcRequest = { jsonrpc: "2.0", id: nth, method: "tools/call", params };
    const client = one(["ann", "bob", "cyd"]);
    const origin: Origin = {
      connection: client,
      address: one(["192.0.2.1", "192.0.2.2"]),
      headers: new Headers({ "x-team": one(["red", "blue"]) }),
      authInfo: { extra: { plan: client === "ann" ? "pro" : "free" } },
    };
    const durationMs = random() * 3_000;
    const outcome = random();
    const result = {
      usage: { rows: Math.floor(random() * Math.min(6, sizes)) },
      isError: sizes > 1 && outcome < 0.1,
      text: sizes === 1 ? "same" : nth,
    };
    const admission = await gate.admit([request], origin);
    passed[nth] = admission.refusal === undefined;
    if (admission.refusal !== undefined) return;
    clock.after(durationMs, () => {
      if (outcome > 0.97) gate.sawFailure(request);
      else if (outcome > 0.9) gate.sawAnswer(request, origin, { code: -32_603, message: "no" });
      else gate.sawAnswer(request, origin, result);
      admission.finish();
    });
  }

  for (let nth = 0; nth < calls; nth++) {
    passed[nth] = undefined;
    void call(nth);
    // Bursts, and pauses between them.
    await clock.advance(random() < 0.1 ? 20_000 * random() : 700 * random());
  }
  await clock.advance(120_000);
  overrides.close();
  await record.close();
  return { file, passed };
}
