import type { ServerResponse } from "node:http";
import { decisionData, type KeyPartsOf } from "./decision-data.ts";
import type { LoggedDecision } from "./decision-log.ts";
import type { Live } from "./live.ts";

export interface EventsOptions {
  readonly live: Live;
  readonly keyPartsOf: KeyPartsOf;
  /** The last event that the client has: it gets what came since then. @default only what comes */
  readonly after?: number | undefined;
}

const SECOND_MS = 1_000;
/** A page that reads no more is let go: it asks again for what it missed. */
const MOST_UNREAD_BYTES = 1_000_000;

/** Of what was missed: a client that has just come reads nothing before all of it is written. */
const MOST_CAUGHT_UP_BYTES = 500_000;

/**
 * Sends decisions as they are made, and each second how many there were, until the client leaves (SSE). However much is decided, a page
 * hears of no more decisions than the log keeps; what it does not hear of is counted.
 */
export function sendEvents(response: ServerResponse, { live, keyPartsOf, after }: EventsOptions): void {
  const write = (text: string) => {
    if (response.writableLength > MOST_UNREAD_BYTES) return void response.destroy();
    response.write(text);
  };
  const send = (event: string, data: object) => write(eventText(event, data));
  const decisionText = (decision: LoggedDecision) =>
    eventText("decision", decisionData(decision, keyPartsOf), decision.id);
  response.writeHead(200, {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
  });
  const { log, counts, clients } = live;
  send("hello", { startedAt: live.startedAt, last: log.last });
  if (after !== undefined) {
    // After a restart of the gateway its ids begin anew.
    const { decisions, missed } = log.since(after > log.last ? 0 : after);
    const texts = latest(decisions.map(decisionText), MOST_CAUGHT_UP_BYTES);
    const left = missed + decisions.length - texts.length;
    if (left > 0) send("missed", { count: left });
    write(texts.join(""));
  }
  const leave = log.subscribe((decision) => write(decisionText(decision)));
  /** Seconds before this one were told of. */
  let told = secondOf(Date.now()) - SECOND_MS;
  const timer = setInterval(() => {
    const running = secondOf(Date.now());
    const points = counts.series(told).filter(({ at }) => at < running);
    told = running;
    send("tick", {
      now: Date.now(),
      points,
      unsent: log.unsent,
      clients: clients.size,
      near: clients.near,
      slowMs: counts.slowMs,
    });
  }, SECOND_MS).unref();
  response.on("close", () => {
    leave();
    clearInterval(timer);
  });
}

function eventText(event: string, data: object, id?: number): string {
  const number = id === undefined ? "" : `id: ${id}\n`;
  return `event: ${event}\n${number}data: ${JSON.stringify(data)}\n\n`;
}

/** As many of the last ones as fit. */
function latest(texts: readonly string[], most: number): readonly string[] {
  let length = 0;
  const first = texts.findLastIndex((text) => {
    length += text.length;
    return length > most;
  });
  return texts.slice(first + 1);
}

const secondOf = (ms: number): number => Math.floor(ms / SECOND_MS) * SECOND_MS;
