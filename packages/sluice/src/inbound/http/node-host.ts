import { PROBLEM_TYPE, problemBody, type RateLimitProblem } from "../../answers/problem.ts";
import type { GuardHost } from "./guard.ts";
import type { NodeRequest, NodeResponse } from "./types.ts";

/** Where a request of `node:http` has its address and headers. */
export const nodeHost: GuardHost<NodeRequest, unknown> = {
  headerOf: (request, name) => request.headers[name],
  peerOf: (request) => request.socket.remoteAddress,
};

export function setHeaders(response: NodeResponse, headers: readonly string[]): void {
  for (let i = 0; i < headers.length; i += 2) response.setHeader(headers[i]!, headers[i + 1]!);
}

/**
 * Answer with a problem document. All fields are given in one piece, which Node writes without a table
 * of them in between: a refusal costs no more than an answer.
 */
export function sendProblem(response: NodeResponse, headers: readonly string[], problem: RateLimitProblem): void {
  const body = problemBody(problem);
  const length = String(Buffer.byteLength(body));
  response.writeHead(problem.status, [...headers, "Content-Type", PROBLEM_TYPE, "Content-Length", length]);
  response.end(body);
}

/** Let a custom answer be given. If that fails, it is an error of the server, not a refusal. */
export async function answerBy(
  answer: () => unknown,
  response: NodeResponse,
  problem: RateLimitProblem,
): Promise<void> {
  response.statusCode = problem.status;
  try {
    await answer();
  } catch (error) {
    if (!response.headersSent) response.statusCode = 500;
    throw error;
  }
}
