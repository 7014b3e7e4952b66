import type { JsonRpcRequest, WireMessage } from "./types.ts";

/** Requests of sessions that wait to be admitted, so that a cancellation finds them. */
export interface WaitingRequests {
  /** Requests begin to wait. The signal aborts when one of them is cancelled, or with the given signal. */
  enter(
    sessionId: string | undefined,
    requests: readonly JsonRpcRequest[],
    signal: AbortSignal,
  ): { readonly signal: AbortSignal; leave(): void };
  /** Messages of a session have come: what they cancel waits no longer. */
  drop(sessionId: string, messages: readonly unknown[]): void;
}

/**
 * Over HTTP a cancellation is a request of its own. Only a session tells whose request it means: ids of
 * requests begin anew in every client, and one client must not cancel for another. Clients of
 * 2026-07-28 have no session and cancel by closing the request, which the given signal tells.
 */
export function waitingRequests(): WaitingRequests {
  const waiting = new Map<string, AbortController>();
  const keyOf = (sessionId: string, id: unknown) => JSON.stringify([sessionId, id]);

  return {
    enter(sessionId, requests, signal) {
      if (sessionId === undefined) return { signal, leave: () => {} };
      const controller = new AbortController();
      const keys = requests.map(({ id }) => keyOf(sessionId, id));
      for (const key of keys) waiting.set(key, controller);
      return {
        signal: AbortSignal.any([signal, controller.signal]),
        leave: () => {
          for (const key of keys) if (waiting.get(key) === controller) waiting.delete(key);
        },
      };
    },
    drop(sessionId, messages) {
      for (const message of messages as readonly WireMessage[]) {
        if (message?.method !== "notifications/cancelled") continue;
        waiting
          .get(keyOf(sessionId, message.params?.requestId))
          ?.abort(new Error("The client cancelled the request while it waited."));
      }
    },
  };
}
