import { isRequest, type JsonRpcRequest } from "sluice/mcp";

/** A call that is written as something else than what was asked for. */
export class CallTextError extends Error {
  override readonly name = "CallTextError";
}

/**
 * A call as people write it: a whole request, or the name and arguments of a tool.
 *
 * @throws CallTextError
 */
export function requestOf(given: unknown): JsonRpcRequest {
  const { name, method } = (given ?? {}) as { name?: unknown; method?: unknown };
  const request =
    typeof name === "string" && method === undefined
      ? { jsonrpc: "2.0", id: 0, method: "tools/call", params: given }
      : { jsonrpc: "2.0", id: 0, ...(given as object) };
  if (isRequest(request)) return request;
  throw new CallTextError(
    `A call is a request such as {"method":"tools/call","params":{"name":"search"}} or the name and arguments of a tool, but it is ${JSON.stringify(given)}.`,
  );
}

/** @throws CallTextError */
export function parseCall(text: string): JsonRpcRequest {
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch (error) {
    throw new CallTextError(
      `A call is JSON, such as {"name":"search","arguments":{}}, but: ${(error as Error).message}.`,
    );
  }
  return requestOf(given);
}
