import type { Config, LimitConfig } from "../config/schema.ts";

/** What a policy file looks at in arguments, headers and results: `argument.rows`, `header.x-team`, `result.usage`. */
export function neededValues({
  perClient,
  global,
  methods = {},
  tools = {},
  policies = [],
}: Config): readonly string[] {
  const needed = new Set<string>();
  for (const limit of [perClient, global, ...Object.values(methods), ...Object.values(tools), ...policies]) {
    if (typeof limit !== "object" || Array.isArray(limit)) continue;
    const { cost, settle } = limit as Exclude<LimitConfig, string | readonly string[]>;
    if (typeof cost === "object" && "argument" in cost) needed.add(`argument.${cost.argument}`);
    if (settle !== undefined) needed.add(`result.${settle.result}`);
  }
  for (const { key = "client" } of policies) {
    for (const part of [key].flat()) {
      const [kind, name] = part.split(/:(.*)/s);
      if (kind === "argument") needed.add(`argument.${name}`);
      if (kind === "header") needed.add(`header.${name!.toLowerCase()}`);
    }
  }
  return [...needed];
}
