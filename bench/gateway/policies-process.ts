/** Decisions of a gate with few policies and with many, as a process that does them when it is asked. */
import { memoryStore } from "sluice";
import { createMcpGate, type Policy } from "sluice/mcp";
import { answerQuestions } from "../worker.ts";

const TOOLS = 1_000;

function gateWith(count: number) {
  const policies = Array.from({ length: count }, (_, i): Policy => {
    return { name: `p${i}`, match: { tool: `tool_${i}` }, quota: "100000000/min" };
  });
  return createMcpGate({ perClient: "100000000/min", policies, store: memoryStore() });
}

const gates = { few: gateWith(1), many: gateWith(TOOLS) };
const request = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "tool_0", arguments: {} } } as const;

/** Microseconds per decision. */
answerQuestions(({ gate, calls }: { gate: keyof typeof gates; calls: number }) => {
  const begin = process.cpuUsage();
  for (let i = 0; i < calls; i++) gates[gate].admit([request], { connection: `c${i % 1_000}` });
  const { user, system } = process.cpuUsage(begin);
  return (user + system) / calls;
});
