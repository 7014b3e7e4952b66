import type { Clock } from "../../limiter/clock.ts";
import { chain } from "../../limiter/reply.ts";
import type { Awaitable } from "../../limiter/store.ts";
import { type Admission, policyOf } from "./admission.ts";
import { callOf, type Origin } from "./call.ts";
import type { McpGate } from "./gate.ts";
import type { ClientOf } from "./identity.ts";
import { pause } from "./pause.ts";
import { type TicketOptions, ticketOf, ticketsOf } from "./tickets.ts";
import type { JsonRpcRequest } from "./types.ts";
import { type Watch, watchedPause } from "./waiting.ts";

export interface WaitingRoundsOptions {
  readonly tickets: true | TicketOptions;
  readonly client: ClientOf;
  readonly clock: Clock;
  readonly watch: Watch | undefined;
}

/** The same gate, which lets calls of clients of 2026-07-28 wait in rounds. Calls that came with others do not. */
export function withWaitingRounds(
  gate: McpGate,
  { tickets: options, client, clock, watch }: WaitingRoundsOptions,
): McpGate {
  const tickets = ticketsOf(options, clock);

  async function inRounds(
    request: JsonRpcRequest,
    origin: Origin,
    key: string,
    signal: AbortSignal | undefined,
  ): Promise<Admission> {
    const call = callOf(request, origin);
    const ticket = ticketOf(call);
    const admit = async (): Promise<Admission> => {
      const admission = await gate.admit([request], origin, signal);
      return ticket === undefined ? admission : { ...admission, ticket };
    };
    let admission = await admit();
    if (!mayGoOn(admission)) return admission;
    const leg = await tickets.read(call, key);
    let retryAfterMs = admission.refusal!.decision.retryAfterMs;
    if (!tickets.mayComeAgain(leg, retryAfterMs)) return admission;
    const holdMs = Math.min(tickets.holdMs, retryAfterMs);
    const waiters = { requests: [request], origin, reason: "round", policy: policyOf(admission), signal } as const;
    await watchedPause({ watch, client }, waiters, () => pause(clock, holdMs, signal));
    if (retryAfterMs <= tickets.holdMs) {
      admission = await admit();
      if (!mayGoOn(admission)) return admission;
      retryAfterMs = admission.refusal!.decision.retryAfterMs;
      if (!tickets.mayComeAgain(leg, retryAfterMs)) return admission;
    }
    return { ...admission, refusal: { ...admission.refusal!, ticket: await tickets.write(call, key, leg) } };
  }

  const { decide: _, ...rest } = gate;
  return {
    ...rest,
    waits: true,

    admit(requests, origin, signal): Awaitable<Admission> {
      const [request] = requests;
      if (request === undefined || requests.length > 1) return gate.admit(requests, origin, signal);
      const call = callOf(request, origin);
      if (!tickets.suits(call)) return gate.admit(requests, origin, signal);
      return chain(client(call), (key) =>
        key === undefined ? gate.admit(requests, origin, signal) : inRounds(request, origin, key, signal),
      );
    },

    refuse: (request, refusal) =>
      refusal.ticket === undefined
        ? gate.refuse(request, refusal)
        : {
            jsonrpc: "2.0",
            id: request.id,
            result: { resultType: "input_required", requestState: refusal.ticket },
          },
  };
}

/** Whether it is a limit that refuses, and one that lets go in time: neither a loop, nor a block, nor a store that fails. */
const mayGoOn = ({ refusal }: Admission): boolean =>
  refusal !== undefined && refusal.loop === undefined && !refusal.isBlock && !refusal.decision.degraded;
