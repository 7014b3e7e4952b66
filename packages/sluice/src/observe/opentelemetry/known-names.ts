import type { JsonRpcRequest } from "../../inbound/mcp/types.ts";
import { METHODS } from "../methods.ts";
import { OTHER } from "./conventions.ts";

/** Names that may stand in metrics and in names of spans: a client that makes names up makes no new series. */
export interface KnownNames {
  /** The name, or `_OTHER`. */
  tool(name: string): string;
  prompt(name: string): string;
  method(name: string): string;
  protocolVersion(name: string): string;
  /** The server has answered a request with a result: what it names, there is. */
  learn(request: JsonRpcRequest, result: unknown, protocolVersion: string | undefined): void;
}

/** More names than any server has that means them to be read by a model. */
const MAX_TOOLS = 1000;
const MAX_METHODS = 100;
const MAX_VERSIONS = 20;
const MAX_LENGTH = 200;

/** @param tools names that are known from the beginning. Others are learned from what the server lists and answers. */
export function knownNames(tools: Iterable<string> = []): KnownNames {
  const known = {
    tools: new Set(tools),
    prompts: new Set<string>(),
    methods: new Set(METHODS),
    versions: new Set<string>(),
  };
  const nameIn = (names: ReadonlySet<string>) => (name: string) => (names.has(name) ? name : OTHER);

  return {
    tool: nameIn(known.tools),
    prompt: nameIn(known.prompts),
    method: nameIn(known.methods),
    protocolVersion: nameIn(known.versions),
    learn({ method, params }, result, protocolVersion) {
      const answer = (result ?? {}) as Record<string, unknown>;
      // A call that is asked to come again may have been asked so by a limit, before anybody looked for the tool.
      if (answer.isError === true || answer.resultType === "input_required") return;
      add(known.methods, method, MAX_METHODS);
      add(known.versions, protocolVersion, MAX_VERSIONS);
      if (method === "initialize") add(known.versions, answer.protocolVersion, MAX_VERSIONS);
      else if (method === "tools/call") add(known.tools, params?.name, MAX_TOOLS);
      else if (method === "prompts/get") add(known.prompts, params?.name, MAX_TOOLS);
      else if (method === "tools/list") addAll(known.tools, answer.tools);
      else if (method === "prompts/list") addAll(known.prompts, answer.prompts);
    },
  };
}

function addAll(names: Set<string>, list: unknown): void {
  if (!Array.isArray(list)) return;
  for (const one of list) add(names, (one as { name?: unknown } | null)?.name, MAX_TOOLS);
}

function add(names: Set<string>, name: unknown, atMost: number): void {
  if (typeof name === "string" && name !== "" && name.length <= MAX_LENGTH && names.size < atMost) names.add(name);
}
