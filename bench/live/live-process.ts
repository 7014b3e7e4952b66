/** A gate with the admin port of a gateway, as a process that decides when it is asked: as fast as it can, or ten thousand times a second. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { setTimeout as after, setImmediate as nextTurn } from "node:timers/promises";
import { pino } from "pino";
import { memoryStore } from "sluice";
import { createOverrides } from "sluice/mcp";
import { adminServer } from "../../packages/gateway/src/admin/admin-server.ts";
import { live } from "../../packages/gateway/src/admin/live/live.ts";
import { createPolicies } from "../../packages/gateway/src/config/policies.ts";
import { readConfig } from "../../packages/gateway/src/config/read-config.ts";
import { answerQuestions } from "../worker.ts";
import { TOKEN } from "./token.ts";

/** What one turn took. */
export interface Turn {
  readonly decisions: number;
  /** CPU time of the whole process in microseconds, what the page asks of it included. */
  readonly cpuUs: number;
  readonly wallMs: number;
}

const CLIENTS = 1_000;
const AT_ONCE = 100;
const PACE_PER_MS = 10;

const config = readConfig(
  "perClient: 1000000/min\ntools: { search: 20/min, '*': 100000/min }\npolicies: [{ name: trial, quota: 10/min, mode: shadow }]",
  "bench",
  {},
);
const store = memoryStore();
const overrides = createOverrides({ store, name: "gateway" });
const policies = createPolicies({ config, store, overrides, onDecision: (event) => happening.saw(event) });
const happening = live(() => policies.current);
const server = adminServer({
  policies,
  overrides,
  live: happening,
  log: pino({ level: "silent" }),
  token: TOKEN,
  reload: undefined,
  problems: async () => [],
  status: async () => ({
    ...{ now: Date.now(), startedAt: happening.startedAt, version: 1, mode: "enforce" as const, store: "memory" },
    ...{ sluice: "bench", problems: [], upstreams: [], adapted: {} },
  }),
});
await once(server.listen(0, "127.0.0.1"), "listening");

let i = 0;
function decide(count: number): void {
  for (let n = 0; n < count; n++) {
    i++;
    const name = i % 4 === 0 ? "search" : `tool_${i % 20}`;
    const request = { jsonrpc: "2.0", id: i, method: "tools/call", params: { name, arguments: {} } } as const;
    void policies.current.admit([request], { connection: `client-${(i * 7919) % CLIENTS}` });
  }
}

async function turn(ms: number, isPaced: boolean): Promise<Turn> {
  const cpu = process.cpuUsage();
  const begin = performance.now();
  const first = i;
  while (performance.now() - begin < ms) {
    if (isPaced) {
      decide(Math.max(0, Math.floor((performance.now() - begin) * PACE_PER_MS) - (i - first)));
      await after(2);
    } else {
      decide(AT_ONCE);
      // Calls come in from the network, and so does the page.
      await nextTurn();
    }
  }
  const { user, system } = process.cpuUsage(cpu);
  return { decisions: i - first, cpuUs: user + system, wallMs: performance.now() - begin };
}

answerQuestions((question: "port" | { ms: number; isPaced: boolean }) =>
  question === "port" ? (server.address() as AddressInfo).port : turn(question.ms, question.isPaced),
);
