import type { RequestId } from "./exchange.ts";

/** A message as far as it says where it belongs. */
export interface Message {
  readonly id?: RequestId;
  readonly method?: string;
  readonly params?: {
    readonly progressToken?: RequestId;
    readonly requestId?: RequestId;
    readonly _meta?: Readonly<Record<string, unknown>>;
  };
  readonly result?: { readonly _meta?: Readonly<Record<string, unknown>> };
  readonly error?: { readonly code?: number };
}

/** What stands in a line of a server; nothing when it is no message. */
export function messagesIn(line: Buffer): readonly Message[] {
  try {
    return [JSON.parse(line.toString()) as unknown].flat().filter(isObject);
  } catch {
    return [];
  }
}

const isObject = (value: unknown): value is Message => typeof value === "object" && value !== null;

export const isAnswer = ({ id, method }: Message): boolean => isRequestId(id) && method === undefined;

export const isRequestId = (id: unknown): id is RequestId => typeof id === "string" || typeof id === "number";
