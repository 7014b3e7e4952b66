import { systemClock } from "../../limiter/clock.ts";
import type { OutboundListener } from "../../outbound/events.ts";
import type { LogDecisionsOptions } from "./log-decisions.ts";
import type { LoggerLike } from "./logger.ts";
import { sampled } from "./sampled.ts";

/**
 * A listener for `onEvent` of `createUpstreams` that logs: every change of a breaker; refusals, being throttled, failures of the store and
 * units that others use at once, more of the same as a count every ten seconds; retries at `debug`.
 *
 * @example
 * createUpstreams({ api: "10/min" }, { onEvent: logUpstreams(pino()) });
 *
 * @throws RangeError for options that cannot be
 */
export function logUpstreams(
  log: LoggerLike,
  { clock = systemClock, ...options }: LogDecisionsOptions = {},
): OutboundListener {
  const often = sampled(clock, options);
  const warn = (key: string, fields: object, text: string) =>
    often.saw(key, (times) => log.warn(times === undefined ? fields : { ...fields, times }, text));

  return (event) => {
    const { upstream, type } = event;
    const key = `${type}/${upstream}`;
    switch (type) {
      case "breaker": {
        const { from, to, cause, openForMs } = event;
        const fields = { upstream, from, to, cause, openForMs };
        if (to === "open") log.warn(fields, "the circuit breaker opened");
        else log.info(fields, `the circuit breaker is ${to} now`);
        return;
      }
      case "refused": {
        const { reason, retryAfterMs } = event;
        return warn(`${key}/${reason}`, { upstream, reason, retryAfterMs }, "a call was not made");
      }
      case "throttled":
        return warn(key, { upstream, pausedForMs: event.pausedForMs }, "the upstream says that calls come too fast");
      case "used-elsewhere":
        return warn(key, { upstream, limit: event.limit, units: event.units }, "others use this limit, too");
      case "store-failed":
        return often.saw(key, (times) => log.error({ upstream, err: event.error, times }, "the store cannot be asked"));
      case "retry":
        return log.debug(
          { upstream, attempt: event.attempt, delayMs: event.delayMs },
          "an attempt failed, and is repeated",
        );
      case "queued":
      case "started":
      case "ended":
        return undefined;
    }
  };
}
