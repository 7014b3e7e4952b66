import { serverFailed } from "../answers.ts";
import type { AnswerHandler, Forwarded } from "../http/upstream.ts";

export type RequestId = string | number;

export interface ExchangeOptions {
  /** The requests that wait for an answer. Without any it is a stream that only listens. */
  readonly ids: readonly RequestId[];
  /** The client has left. */
  aborted(): void;
  /** The client takes no more for now, or goes on: with `true` it is blocked. */
  blocked?(isBlocked: boolean): void;
}

/** Longer silence is not left to proxies, which close what they take for dead. Comments of a stream are heard by nobody. */
const KEEP_ALIVE_MS = 25_000;
/** More than this is not kept for a client that does not read. */
const PATIENCE_BYTES = 16 * 1024 * 1024;
const COMMENT = Buffer.from(":\n\n");

/**
 * One request over HTTP that is answered with what a server over stdio says: with JSON when its answer comes first, else with a stream
 * of events.
 */
export class Exchange implements Forwarded {
  /** Header fields of the answer, names and values in turn. */
  fields: readonly string[] = [];
  readonly #options: ExchangeOptions;
  readonly #timer: NodeJS.Timeout;
  /** Until it is over. */
  #answer: AnswerHandler | undefined;
  #isStream = false;
  #isBlocked = false;
  #waitingBytes = 0;

  constructor(answer: AnswerHandler, options: ExchangeOptions) {
    this.#answer = answer;
    this.#options = options;
    this.#timer = setInterval(() => this.#write(COMMENT), KEEP_ALIVE_MS).unref();
    if (options.ids.length === 0) this.#begin();
  }

  get isOver(): boolean {
    return this.#answer === undefined;
  }

  /** A message that is not the last one. */
  event(message: Buffer): void {
    this.#write(eventOf(message));
  }

  /** The answer, when there is nothing more to come. @param status of an answer that is no stream */
  finish(message: Buffer, status = 200): void {
    if (this.#isStream) this.#write(eventOf(message));
    else {
      const length = String(message.length);
      const fields = ["content-type", "application/json", "content-length", length, ...this.fields];
      this.#answer?.head(status, "", fields, { "content-type": "application/json", "content-length": length });
      this.#answer?.data(message);
    }
    this.end();
  }

  /** There will be no answer. */
  fail(error: Error): void {
    const { ids } = this.#options;
    if (!this.#isStream) this.#over()?.failed(error);
    else if (ids.length === 0) this.end();
    else this.finish(Buffer.from(serverFailed(ids.map((id) => ({ id })))));
  }

  end(): void {
    this.#over()?.end();
  }

  resume(): void {
    this.#waitingBytes = 0;
    this.#block(false);
  }

  abort(): void {
    if (this.#over() !== undefined) this.#options.aborted();
  }

  #begin(): void {
    this.#isStream = true;
    const fields = ["content-type", "text/event-stream", "cache-control", "no-store", ...this.fields];
    this.#answer?.head(200, "", fields, { "content-type": "text/event-stream" });
  }

  #write(bytes: Buffer): void {
    if (!this.#isStream) this.#begin();
    if (this.#answer?.data(bytes) !== false) return;
    this.#waitingBytes += bytes.length;
    if (this.#waitingBytes <= PATIENCE_BYTES) return void this.#block(true);
    this.#over()?.failed(new Error("The client does not read what it asked for."));
    this.#options.aborted();
  }

  #block(isBlocked: boolean): void {
    if (isBlocked === this.#isBlocked) return;
    this.#isBlocked = isBlocked;
    this.#options.blocked?.(isBlocked);
  }

  #over(): AnswerHandler | undefined {
    const answer = this.#answer;
    this.#answer = undefined;
    clearInterval(this.#timer);
    this.#block(false);
    return answer;
  }
}

const [BEFORE, AFTER] = [Buffer.from("event: message\ndata: "), Buffer.from("\n\n")];

/** A message has no line end within: what looks like one to a reader of events is white space of JSON. */
const eventOf = (message: Buffer): Buffer =>
  Buffer.concat([BEFORE, message.includes(0x0d) ? withoutReturns(message) : message, AFTER]);

const withoutReturns = (message: Buffer): Buffer =>
  Buffer.from(message).map((byte) => (byte === 0x0d ? 0x20 : byte)) as Buffer;
