import { type Admission, isRequest, type JsonRpcRequest, type McpGate, type Origin } from "sluice/mcp";
import { readMessage } from "../../message/read-message.ts";
import { failures, refusals, rejections } from "../answers.ts";
import type { Gates } from "../gates.ts";
import { isToolsList } from "../http/heard.ts";
import { withoutTicketOf } from "../without-ticket.ts";

export interface StdioGateOptions {
  readonly gates: Gates;
  /** Who is at the other end. */
  readonly origin: Origin;
  /** Passes a line on to the server, as it came. */
  toServer(line: Buffer): void;
  /** Gives the client an answer of ours. */
  toClient(line: string): void;
  /** Is told why nothing could be decided; the client gets an error. */
  failed(error: unknown): void;
}

/** Requests of one line on their way through the gate and the server. */
interface Passing {
  readonly gate: McpGate;
  readonly requests: readonly JsonRpcRequest[];
  /** Undefined while they wait to be admitted. */
  admission?: Admission;
  /** Requests that have no answer yet. */
  left: number;
  /** Drops them while they wait. */
  readonly controller: AbortController;
}

/** The gate between one client and one server over stdio. */
export interface StdioGate {
  fromClient(line: Buffer): void;
  /** Looks at an answer of the server, which has been passed on already. Only needed while `watches`. */
  fromServer(line: Buffer): void;
  readonly watches: boolean;
  /** Resolves when nothing waits to be decided. */
  idle(): Promise<void>;
  /** The connection is over. */
  close(): void;
}

export function stdioGate({ gates, origin, toServer, toClient, failed }: StdioGateOptions): StdioGate {
  /** By the ids of their requests. */
  const passing = new Map<string | number, Passing>();
  const undecided = new Set<Passing>();
  let onIdle: (() => void)[] = [];

  function decide(line: Buffer, requests: readonly JsonRpcRequest[], isBatch: boolean): void {
    const gate = gates.current;
    const entry: Passing = { gate, requests, left: requests.length, controller: new AbortController() };
    let admitted: ReturnType<McpGate["admit"]>;
    try {
      admitted = gate.admit(requests, origin, entry.controller.signal);
    } catch (error) {
      fail(entry, isBatch, error);
      return;
    }
    if (!("then" in admitted)) {
      settle(entry, admitted, line, isBatch);
      return;
    }
    enter(entry);
    undecided.add(entry);
    admitted.then(
      (admission) => {
        if (!decided(entry)) return admission.undo();
        settle(entry, admission, line, isBatch);
      },
      (error: unknown) => {
        if (decided(entry)) fail(entry, isBatch, error);
      },
    );
  }

  /** Whether somebody still wants to know. */
  function decided(entry: Passing): boolean {
    undecided.delete(entry);
    if (undecided.size === 0) {
      const waiting = onIdle;
      onIdle = [];
      // After what was decided has been passed on.
      for (const one of waiting) queueMicrotask(one);
    }
    if (entry.controller.signal.aborted) return false;
    forget(entry);
    return true;
  }

  function settle(entry: Passing, admission: Admission, line: Buffer, isBatch: boolean): void {
    if (admission.refusal !== undefined) {
      toClient(refusals(entry.gate, entry.requests, isBatch, admission.refusal));
      return;
    }
    const asksTools = gates.sawTools !== undefined && entry.requests.some(isToolsList);
    if (admission.holdsPlaces || entry.gate.watches !== "nothing" || asksTools) {
      entry.admission = admission;
      enter(entry);
    }
    toServer(withoutTicketOf(admission, line));
  }

  function fail({ requests }: Passing, isBatch: boolean, error: unknown): void {
    failed(error);
    toClient(failures(requests, isBatch));
  }

  /** An id names one request (JSON-RPC): a client that gives it to another gives up the earlier one. */
  function enter(entry: Passing): void {
    for (const { id } of entry.requests) {
      const earlier = passing.get(id);
      if (earlier !== undefined && earlier !== entry) leave(earlier, "The client gave its id to another request.");
      passing.set(id, entry);
    }
  }

  function forget(entry: Passing): void {
    for (const { id } of entry.requests) if (passing.get(id) === entry) passing.delete(id);
  }

  /** Nobody will hear of these requests again: they wait no longer, or hold their places until their lease ends. */
  function leave(entry: Passing, reason: string): void {
    forget(entry);
    if (entry.admission === undefined) entry.controller.abort(new Error(reason));
    else entry.admission.abandon();
  }

  /**
   * One that waits by itself is dropped, and the server never hears of it. One that runs may go on running, so its place
   * stays taken until its lease ends.
   */
  function isDropped(message: any): boolean {
    if (message?.method !== "notifications/cancelled") return false;
    const entry = passing.get(message.params?.requestId);
    if (entry === undefined || entry.requests.length > 1) return false;
    leave(entry, "The client cancelled the request while it waited.");
    return entry.admission === undefined;
  }

  return {
    get watches() {
      return passing.size > undecided.size;
    },

    fromClient(line) {
      if (isBlank(line)) return toServer(line);
      const reading = readMessage(line);
      if (reading.kind !== "messages") return toClient(rejections(reading));
      const { messages, isBatch } = reading;
      const requests = messages.filter(isRequest);
      if (requests.length > 0) decide(line, requests, isBatch);
      else if (isBatch || !isDropped(messages[0])) toServer(line);
    },

    fromServer(line) {
      for (const message of messagesIn(line)) {
        if (message?.id === undefined || message.method !== undefined) continue;
        const entry = passing.get(message.id);
        if (entry?.admission === undefined) continue;
        const request = entry.requests.find(({ id }) => id === message.id)!;
        if (isToolsList(request)) gates.sawTools?.(message.result);
        entry.gate.sawAnswer(request, origin, message.result ?? message.error);
        passing.delete(message.id);
        entry.left--;
        if (entry.left === 0) entry.admission.finish();
      }
    },

    idle: () => (undecided.size === 0 ? Promise.resolve() : new Promise((resolve) => onIdle.push(resolve))),

    close() {
      for (const entry of new Set(passing.values()))
        leave(entry, "The connection was closed while the request waited.");
    },
  };
}

function messagesIn(line: Buffer): readonly any[] {
  try {
    return [JSON.parse(line.toString())].flat();
  } catch {
    // Whatever it is, it answers nothing.
    return [];
  }
}

/** White space only: some clients send it to keep a connection alive, and no server takes it for a call. */
const isBlank = (line: Buffer): boolean => line.every((byte) => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d));
