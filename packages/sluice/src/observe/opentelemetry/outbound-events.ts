import type { OutboundListener } from "../../outbound/events.ts";
import { ATTRIBUTE, RATE_LIMIT } from "./conventions.ts";
import type { Instruments } from "./instruments.ts";

/** Counts what limits of upstreams decide, and how long calls wait for them. */
export function outboundRecorder({ decisions, waits }: Instruments): OutboundListener {
  return (event) => {
    const policy = { [RATE_LIMIT.policy]: event.upstream, [RATE_LIMIT.kind]: "upstream" };
    if (event.type === "refused") {
      decisions.add(1, { [RATE_LIMIT.decision]: "deny", ...policy, [ATTRIBUTE.errorType]: event.reason });
    } else if (event.type === "started" && event.attempt === 1) {
      const decided = { [RATE_LIMIT.decision]: event.waitedMs > 0 ? "wait" : "allow", ...policy };
      decisions.add(1, decided);
      if (event.waitedMs > 0) waits.record(event.waitedMs / 1000, decided);
    }
  };
}
