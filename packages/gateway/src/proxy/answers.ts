import { failed, type JsonRpcRequest, type McpGate, type Refusal } from "sluice/mcp";
import type { Reading } from "../message/read-message.ts";
import type { Mismatch } from "./http/header-mismatch.ts";

/** What the gateway itself answers, as text of JSON. */

const PARSE_ERROR = -32_700;
const INVALID_REQUEST = -32_600;
const INTERNAL_ERROR = -32_603;
const HEADER_MISMATCH = -32_020;

const error = (id: string | number | null, code: number, message: string) => ({
  jsonrpc: "2.0",
  id,
  error: { code, message },
});

/** To what is not as it has to be. */
export const invalid = (message: string, id: string | number | null = null, code = INVALID_REQUEST): string =>
  JSON.stringify(error(id, code, message));

/** To requests that were refused: one answer for each, as a list where they came as one. */
export function refusals(
  gate: McpGate,
  requests: readonly JsonRpcRequest[],
  isBatch: boolean,
  refusal: Refusal,
): string {
  return asText(
    requests.map((request) => gate.refuse(request, refusal)),
    isBatch,
  );
}

/** To requests that could not be decided about. */
export const failures = (requests: readonly JsonRpcRequest[], isBatch: boolean): string =>
  asText(requests.map(failed), isBatch);

/** To what cannot be passed on, because the server might read another call than the one that was counted. */
export function rejections(reading: Exclude<Reading, { kind: "messages" }>): string {
  if (reading.kind === "unreadable") {
    return JSON.stringify(error(null, PARSE_ERROR, `This message was not passed on, because ${reading.why}.`));
  }
  const message = `This message was not passed on, because it can be read in two ways: ${reading.why}.`;
  const answers = (reading.ids.length === 0 ? [null] : reading.ids).map((id) => error(id, INVALID_REQUEST, message));
  return asText(answers, answers.length > 1);
}

/** To a request whose headers say something else than its body (MCP 2026-07-28: code -32020). */
export function headerMismatchAnswer(message: unknown, { header, said, is }: Mismatch): string {
  const { id } = (message ?? {}) as { id?: unknown };
  const text = `The header ${header} says ${JSON.stringify(said)}, but the body says ${JSON.stringify(is)}.`;
  return JSON.stringify(error(typeof id === "string" || typeof id === "number" ? id : null, HEADER_MISMATCH, text));
}

/** To requests that the server behind did not answer. */
export function serverFailed(requests: readonly { readonly id: string | number }[]): string {
  const text = "The server behind this gateway did not answer.";
  const answers = requests.map(({ id }) => error(id, INTERNAL_ERROR, text));
  return answers.length > 1 ? JSON.stringify(answers) : JSON.stringify(answers[0] ?? error(null, INTERNAL_ERROR, text));
}

/** To what is too large to be read. */
export const tooLarge = (maxBytes: number): string =>
  invalid(`A message has at most ${maxBytes} bytes here, and this one has more.`);

const asText = (answers: readonly object[], isBatch: boolean): string => JSON.stringify(isBatch ? answers : answers[0]);
