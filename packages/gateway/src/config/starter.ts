import { stringify } from "yaml";
import type { ToolFacts } from "../cli/ask-tools.ts";

/** For tools that only look, that change something, and that destroy something. */
const RATES = { reading: "60/min", writing: "20/min", destroying: "5/min" };

/** A policy file to begin with: limits that let an agent work, and stop one that has run wild. */
export function starterFile(tools: readonly ToolFacts[]): string {
  return `# yaml-language-server: $schema=./sluice.schema.json
# The limits in front of an MCP server. "sluice check" says whether this file is good; a change takes effect at once.
version: 1

# Where the state lives: memory, sqlite:./sluice.db (the processes of one machine), redis://localhost:6379 (many machines).
store: memory

# "shadow" only logs what it would refuse: a good way to begin on a server that is in use.
mode: enforce

# A call that is over a limit waits up to this long in line before it is refused. false refuses at once.
wait: 2s

# All requests of a client together, but for connecting and looking around.
perClient: 120/min

# Calls of one tool, per client. A rate is "60/min", "5/10s", "20/s burst 40" or, by the calendar, "1000/day UTC".
tools:
${toolLines(tools)}
# What the limits above cannot say. All policies that match a call are decided together: all are charged, or none.
# policies:
#   - name: exports
#     match: { tool: "export_*" }
#     quota: [10/hour, 30/day UTC]
#     concurrency: 2
#     cost: { argument: limit, per: 100 }   # one unit for each hundred that the call asks for
#   - name: whole-server
#     key: everyone
#     concurrency: 20
#     mode: shadow
`;
}

function toolLines(tools: readonly ToolFacts[]): string {
  // It is no key that an object could have: calls of it fall under "*".
  const named = tools.filter(({ name }) => name !== "__proto__");
  const lines = named.map(({ name, title, ...facts }) => {
    const remark = title === undefined || title === name ? "" : `   # ${title.replaceAll(/\s+/g, " ")}`;
    return `  ${asKey(name)}: ${rateOf(facts)}${remark}\n`;
  });
  return `${lines.join("")}  # All other tools together: a client that makes up names gets no new limit with each.\n  "*": 60/min\n`;
}

const rateOf = ({ readOnly, destructive }: Omit<ToolFacts, "name">): string =>
  readOnly ? RATES.reading : destructive ? RATES.destroying : RATES.writing;

/** In quotes where YAML needs them. */
const asKey = (name: string): string => stringify(name, { lineWidth: 0 }).trim();
