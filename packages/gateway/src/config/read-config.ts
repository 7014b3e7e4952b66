import { memoryStore } from "sluice";
import { createMcpGate } from "sluice/mcp";
import type { z } from "zod";
import { problemsOf } from "./issues.ts";
import { limitsOf } from "./limits-of.ts";
import { ConfigError, type Problem } from "./problem.ts";
import { type Config, configSchema } from "./schema.ts";
import { readSource, type Source } from "./source.ts";

/**
 * Reads a policy file: YAML, or JSON, which is a part of it.
 *
 * @param file its name, for errors
 * @throws ConfigError with everything that is wrong, each with its line; nothing else, whatever the text
 */
export function readConfig(text: string, file: string, env: Readonly<Record<string, string | undefined>>): Config {
  const source = readSource(text, env);
  if (source.problems.length > 0) throw new ConfigError(file, text, source.problems);
  const read = configSchema.safeParse(source.value ?? {});
  if (!read.success) throw new ConfigError(file, text, problemsOf(read.error.issues, source, knownKeys));
  const problems = impossible(read.data, source);
  if (problems.length > 0) throw new ConfigError(file, text, problems);
  return read.data;
}

/** What no schema can say: limits that the library refuses, names that stand twice. */
function impossible(config: Config, source: Source): readonly Problem[] {
  const problems: Problem[] = [];
  const attempt = (part: Config, path: readonly PropertyKey[]) => {
    try {
      createMcpGate({ ...limitsOf(part), store: memoryStore({ maxKeys: 16 }) });
    } catch (error) {
      problems.push(source.problemAt(path, withoutPlace((error as Error).message)));
    }
  };
  const { perClient, global, methods = {}, tools = {}, policies = [], answer, loops } = config;
  if (perClient !== undefined) attempt({ perClient }, ["perClient"]);
  if (global !== undefined) attempt({ global }, ["global"]);
  for (const [name, limit] of Object.entries(methods)) attempt({ methods: { [name]: limit } }, ["methods", name]);
  for (const [name, limit] of Object.entries(tools)) attempt({ tools: { [name]: limit } }, ["tools", name]);
  if (answer !== undefined) attempt({ answer }, ["answer"]);
  if (loops !== undefined) attempt({ loops }, ["loops"]);
  const names = new Map<string, number>();
  policies.forEach((policy, i) => {
    attempt({ policies: [policy] }, ["policies", i]);
    const first = names.get(policy.name);
    if (first === undefined) names.set(policy.name, i);
    else {
      const message = `there is another policy of the name "${policy.name}" (policies[${first}]), and names tell their limits apart.`;
      problems.push(source.problemAt(["policies", i, "name"], message));
    }
  });
  return problems;
}

/** The place stands in front already. */
const withoutPlace = (message: string): string =>
  message.replace(/^(The limit [^:]+|The policy "[^"]*"|Policy \d+): /, "");

/** The names of the members that the schema knows at a place. */
function knownKeys(path: readonly PropertyKey[]): readonly string[] {
  let schemas: readonly z.core.$ZodType[] = [configSchema];
  for (const part of path) schemas = schemas.flatMap((schema) => below(schema, part));
  return [...new Set(schemas.flatMap((schema) => forms(schema).flatMap((form) => Object.keys(shapeOf(form)))))];
}

const shapeOf = (schema: z.core.$ZodType): Readonly<Record<string, z.core.$ZodType>> =>
  schema._zod.def.type === "object" ? (schema as z.core.$ZodObject)._zod.def.shape : {};

/** What is behind wrappers: the forms that a value can have. */
function forms(schema: z.core.$ZodType): readonly z.core.$ZodType[] {
  const { def } = schema._zod as { readonly def: any };
  if (def.type === "union") return def.options.flatMap(forms);
  if (def.type === "pipe") return forms(def.in);
  return def.innerType === undefined ? [schema] : forms(def.innerType);
}

function below(schema: z.core.$ZodType, part: PropertyKey): readonly z.core.$ZodType[] {
  return forms(schema).flatMap((form) => {
    const { def } = form._zod as { readonly def: any };
    const inner =
      def.type === "array" ? def.element : def.type === "record" ? def.valueType : shapeOf(form)[String(part)];
    return inner === undefined ? [] : [inner as z.core.$ZodType];
  });
}
