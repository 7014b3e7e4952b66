/** Decisions of a gate with few policies and with many, and many overrides, as a process that does them when it is asked. */
import { memoryStore } from "sluice";
import { createMcpGate, createOverrides, type Policy } from "sluice/mcp";
import { answerQuestions } from "../worker.ts";

const TOOLS = 1_000;

function gateWith(count: number) {
  const policies = Array.from({ length: count }, (_, i): Policy => {
    return { name: `p${i}`, match: { tool: `tool_${i}` }, quota: "100000000/min" };
  });
  return { perClient: "100000000/min", policies };
}

/** Clients of whom each has one, and half of them are those that call. */
const OVERRIDES = 10_000;
const overridden = memoryStore();
const until = Date.now() + 3_600_000;
const list = Array.from({ length: OVERRIDES }, (_, i) => ({
  limit: "perClient",
  client: `c${i}`,
  quota: "90000000/min",
  until,
}));
overridden.document!("overrides/mcp").replace(0, JSON.stringify(list));

const gates = {
  few: createMcpGate({ ...gateWith(1), store: memoryStore() }),
  many: createMcpGate({ ...gateWith(TOOLS), store: overridden, overrides: createOverrides({ store: overridden }) }),
};
const request = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "tool_0", arguments: {} } } as const;

/** Microseconds per decision. */
answerQuestions(({ gate, calls }: { gate: keyof typeof gates; calls: number }) => {
  const begin = process.cpuUsage();
  for (let i = 0; i < calls; i++) gates[gate].admit([request], { connection: `c${(i % 1_000) * 20}` });
  const { user, system } = process.cpuUsage(begin);
  return (user + system) / calls;
});
