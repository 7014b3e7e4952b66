import type { IncomingHttpHeaders } from "node:http";
import {
  type AnswerReader,
  answerReader,
  type JsonRpcRequest,
  type McpGate,
  type Origin,
  type Ruling,
} from "sluice/mcp";
import type { Gates } from "../gates.ts";

/** Requests that the server gets. */
export interface Passing extends Extract<Ruling, { kind: "pass" }> {
  readonly gate: McpGate;
  readonly origin: Origin;
}

/** The gate hears the answers that it wants, as they pass. */
export function readerFor(
  { gate, origin, requests }: Passing,
  status: number,
  headers: IncomingHttpHeaders,
  sawTools?: Gates["sawTools"],
): AnswerReader | undefined {
  if (isFailure(status)) {
    for (const request of requests) gate.sawFailure(request, restOf(headers));
    return undefined;
  }
  const { watches } = gate;
  const asksTools = sawTools !== undefined && requests.some(isToolsList);
  if ((watches === "nothing" && !asksTools) || requests.length === 0 || headers["content-encoding"] !== undefined)
    return undefined;
  return answerReader(asksTools || watches === "nothing" ? "everything" : watches, (id, answer) => {
    const request = requests.find((one) => one.id === id);
    if (request === undefined) return;
    if (isToolsList(request)) sawTools?.(answer);
    if (watches !== "nothing") gate.sawAnswer(request, origin, answer);
  });
}

export const isToolsList = ({ method }: JsonRpcRequest): boolean => method === "tools/list";

/** The gate hears that there is none. */
export function gotNoAnswer({ gate, requests }: Passing): void {
  for (const request of requests) gate.sawFailure(request);
}

/** What clients cannot bring about: the server has failed, or has a limit of its own. */
const isFailure = (status: number): boolean => status >= 500 || status === 429;

/** How long the server asks to be left alone, in milliseconds: a number of seconds, or a date (RFC 9110 §10.2.3). */
function restOf({ "retry-after": said = "" }: IncomingHttpHeaders): number {
  const ms = /^\d+$/.test(said) ? Number(said) * 1000 : Date.parse(said) - Date.now();
  return ms > 0 ? ms : 0;
}
