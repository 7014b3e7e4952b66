import { formatDuration } from "sluice";
import { createMcpGate, type ExplainedLimit, type Explanation, isRequest, type JsonRpcRequest } from "sluice/mcp";
import { limitsOf } from "../config/limits-of.ts";
import { failurePolicyOf } from "../config/policies.ts";
import { openStore } from "../store/open-store.ts";
import { CliError, ExitCode } from "./exit-code.ts";
import { type CommonOptions, localClient, settingsOf } from "./settings.ts";

export interface ExplainOptions extends CommonOptions {
  readonly call: string;
  readonly client?: string;
  readonly address?: string;
  readonly json?: boolean;
}

/** `sluice explain`: which limits a call falls under, under which keys, and what would become of it now. Nothing is taken. */
export async function explain(options: ExplainOptions): Promise<number> {
  const request = requestOf(options.call);
  const { config, log } = settingsOf(options);
  const { store, close } = openStore({
    address: config.store ?? "memory",
    log,
    onFailure: (account) => failurePolicyOf(config, account),
  });
  try {
    const gate = createMcpGate({ ...limitsOf(config), store });
    const connection = options.client ?? localClient();
    const explanation = await gate.explain(request, { connection, address: options.address });
    process.stdout.write(`${options.json ? JSON.stringify(asData(explanation)) : inWords(request, explanation)}\n`);
    return ExitCode.ok;
  } finally {
    await close();
  }
}

/** A whole request, or the parameters of a tool call: `{"name":"search","arguments":{}}`. */
function requestOf(text: string): JsonRpcRequest {
  let given: any;
  try {
    given = JSON.parse(text);
  } catch (error) {
    throw new CliError(`--call is JSON, such as '{"name":"search","arguments":{}}', but: ${(error as Error).message}.`);
  }
  const request =
    typeof given?.name === "string" && given.method === undefined
      ? { jsonrpc: "2.0", id: 0, method: "tools/call", params: given }
      : { jsonrpc: "2.0", id: 0, ...given };
  if (isRequest(request)) return request;
  throw new CliError(
    `--call is a request such as '{"method":"tools/call","params":{"name":"search"}}' or the name and arguments of a tool, but it is ${text}.`,
  );
}

const isAllowed = ({ limits }: Explanation): boolean =>
  limits.every(({ mode, decision }) => mode === "shadow" || decision.allowed);

function asData(explanation: Explanation): object {
  const limits = explanation.limits.map(({ quota, ...limit }) => ({ ...limit, quota: quota.name, rate: quota.text }));
  return { allowed: isAllowed(explanation), ...explanation, limits };
}

function inWords(request: JsonRpcRequest, explanation: Explanation): string {
  const { client, tier, limits } = explanation;
  const tool = request.method === "tools/call" ? ` of ${JSON.stringify(request.params?.name)}` : "";
  const head = `${request.method}${tool}`;
  if (limits.length === 0) return `${head} falls under no limit: it always passes.`;
  const who = `client ${client}${tier === undefined ? "" : `, tier ${tier}`}`;
  const verdict = isAllowed(explanation) ? "would pass" : "would be refused";
  return [`${head} by ${who} ${verdict}:`, ...limits.map(lineOf)].join("\n");
}

function lineOf({ mode, key, cost, quota, decision }: ExplainedLimit): string {
  const mark = decision.allowed ? "ok    " : mode === "shadow" ? "shadow" : "over  ";
  const wait = decision.allowed ? "" : `, again in ${formatDuration(decision.retryAfterMs)}`;
  return `  ${mark}  ${quota.name}: ${quota.text}; takes ${cost}, ${decision.remaining} left${wait}; key ${key}`;
}
