import type { McpCall } from "./call.ts";
import type { Rule } from "./rule.ts";

/**
 * The rules that apply to a call, in their order. Those that name their tools are only looked at for these, so that a
 * thousand of them cost no more than one.
 */
export function ruleIndex(rules: readonly Rule[]): (call: McpCall) => readonly Rule[] {
  const named = new Map<string, number[]>();
  const others: number[] = [];
  rules.forEach(({ tools }, i) => {
    if (tools === undefined) others.push(i);
    else for (const tool of new Set(tools)) named.set(tool, [...(named.get(tool) ?? []), i]);
  });
  const inOrder = (places: readonly number[]) => [...places].sort((a, b) => a - b).map((i) => rules[i]!);
  const general = inOrder(others);
  const byTool = new Map([...named].map(([tool, places]) => [tool, inOrder([...others, ...places])]));
  return (call) => {
    const candidates = (call.tool !== undefined && byTool.get(call.tool)) || general;
    return candidates.filter((rule) => rule.matches(call));
  };
}
