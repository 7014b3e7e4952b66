import { shown, wholeNumber } from "../../algorithms/numbers.ts";
import type { McpCallEvent, McpCallFollower } from "../../inbound/mcp/follow.ts";
import { type Clock, systemClock } from "../../limiter/clock.ts";
import { milliseconds } from "../../limiter/duration.ts";
import { appender } from "./appender.ts";
import { hasher } from "./hasher.ts";
import { type CallLine, decided, ended, lineOf } from "./line.ts";
import { type RecordedLimits, usedValues } from "./used-values.ts";

export type { CallLine } from "./line.ts";
export type { RecordedLimits } from "./used-values.ts";

export interface RecordOptions {
  /** Where lines are added. It is made with mode 0600. */
  readonly file: string;
  /** Which part of the clients is recorded, from 0 to 1. Of these every call is there. @default 1 */
  readonly sample?: number;
  /**
   * Key of the hashes that stand for clients, addresses, sessions and parts of keys. With the same secret a client has the same name in
   * every file, after a restart too.
   *
   * @default a random one for each record
   */
  readonly secret?: string;
  /** The limits that calls fall under: what they look at in calls is written, and nothing else of arguments and results. @default nothing */
  readonly limits?: RecordedLimits;
  /** Bytes that may wait to be written: what does not fit is lost, and counted. @default 1 MiB */
  readonly maxBufferedBytes?: number;
  /** A file of this size gets no more lines. @default 1 GiB */
  readonly maxFileBytes?: number;
  /** A call that has not ended by then is written without its end, in milliseconds. Lines stand in the order in which calls came. @default 60_000 */
  readonly holdMs?: number;
  /** The clock of the store. @default the clock of this process */
  readonly clock?: Clock;
  /** Is told once that the file cannot be written, or is full. @default console.error */
  readonly onError?: (error: Error) => void;
}

/** What a record has come to. */
export interface RecordStats {
  readonly written: number;
  /** Lines that were lost because the disk was too slow, failed, or the file was full. */
  readonly lost: number;
  /** Calls of clients that are not in the sample. */
  readonly leftOut: number;
  /** Calls that have not ended, or wait for one that has not. */
  readonly held: number;
}

/** Writes calls to a file, for `sluice simulate`. */
export interface CallRecord {
  /** For the option `onCall` of MCP limits. */
  onCall(event: McpCallEvent): McpCallFollower | undefined;
  /** Other limits are in force now: from here on what they look at is written. */
  use(limits: RecordedLimits): void;
  stats(): RecordStats;
  /** Resolves when what has ended is in the file. */
  flush(): Promise<void>;
  /** Writes what there is, and closes the file. */
  close(): Promise<void>;
}

interface Held {
  readonly line: CallLine;
  /** On the clock's elapsed time, in microseconds. */
  readonly since: number;
  isOver: boolean;
}

/** Calls that are held at most, until those before them have ended. */
const MOST_HELD = 10_000;
const FLUSH_EVERY_MS = 1_000;
/** The time on the wall was set: from here on the lines follow it. In microseconds. */
const WALL_STEP = 1_000_000;

/**
 * Records the calls of an MCP server, one line of JSON for each. Never a token, and of arguments and results only what limits look at.
 * It is never waited for: what cannot be written is lost, and counted.
 *
 * @example
 * const record = recordCalls({ file: "calls.jsonl", sample: 0.1, limits });
 * rateLimit(server, { ...limits, onCall: record.onCall });
 *
 * @throws RangeError, TypeError for options that cannot be; what the file system says when the file cannot be opened
 */
export function recordCalls({
  file,
  sample = 1,
  secret,
  limits = {},
  maxBufferedBytes = 1024 ** 2,
  maxFileBytes = 1024 ** 3,
  holdMs = 60_000,
  clock = systemClock,
  onError = (error) => console.error(`sluice: ${error.message}`),
}: RecordOptions): CallRecord {
  if (typeof file !== "string" || file === "")
    throw new TypeError(`file is the name of a file, but it is ${shown(file)}.`);
  if (!(sample >= 0 && sample <= 1))
    throw new RangeError(`sample is a number from 0 to 1, but it is ${shown(sample)}.`);
  if (secret !== undefined && !(typeof secret === "string" && secret.length >= 16)) {
    throw new RangeError("secret is a text of 16 characters or more: a shorter one can be guessed.");
  }
  wholeNumber("maxBufferedBytes", maxBufferedBytes, 1);
  wholeNumber("maxFileBytes", maxFileBytes, 1);
  milliseconds("holdMs", holdMs, 0);
  const names = hasher(secret, sample);
  const output = appender({ file, maxBufferedBytes, maxFileBytes, failed: onError });
  let used = usedValues(limits);
  let ahead = clock.wall() - clock.elapsed();
  /** In the order in which they came; those before `first` are written. */
  let held: Held[] = [];
  let first = 0;
  let [written, lost, leftOut, unsaid] = [0, 0, 0, 0];
  let cancelTimer: (() => void) | undefined;

  /** Milliseconds since 1970, at the pace of the clock that limits go by. */
  function timeOf(elapsed: number): number {
    const now = clock.wall() - elapsed;
    if (Math.abs(now - ahead) > WALL_STEP) ahead = now;
    return (elapsed + ahead) / 1000;
  }

  function put(value: object): void {
    if (output.add(`${JSON.stringify(value)}\n`)) {
      written++;
    } else {
      lost++;
      unsaid++;
    }
  }

  /** Who reads the file must know what is not in it. */
  function putHead(): void {
    const { repetitions, resources, ...values } = used;
    put({ sluice: "record", version: 1, time: timeOf(clock.elapsed()), sample, values, repetitions, resources });
    written--;
  }

  function writeEnded(isAll = false): void {
    const now = clock.elapsed();
    for (; first < held.length; first++) {
      const { line, since, isOver } = held[first]!;
      if (!isAll && !isOver && held.length - first <= MOST_HELD && now - since < holdMs * 1000) break;
      if (unsaid > 0 && output.add(`${JSON.stringify({ sluice: "lost", lines: unsaid })}\n`)) unsaid = 0;
      put(line);
    }
    if (first > MOST_HELD || first === held.length) {
      held = held.slice(first);
      first = 0;
    }
    if (held.length > 0 && cancelTimer === undefined) {
      cancelTimer = clock.after(FLUSH_EVERY_MS, tick, true);
    }
  }

  function tick(): void {
    cancelTimer = undefined;
    writeEnded();
  }

  putHead();
  return {
    onCall(event) {
      const { client } = event;
      // What is let through uncharged is so whatever the limits are.
      if (client === undefined) return undefined;
      if (!names.isSampled("client", client)) {
        leftOut++;
        return undefined;
      }
      const since = clock.elapsed();
      const looked = used;
      const one: Held = { line: lineOf({ ...event, client }, timeOf(since), looked, names), since, isOver: false };
      held.push(one);
      cancelTimer ??= clock.after(FLUSH_EVERY_MS, tick, true);
      const over = () => {
        one.isOver = true;
        if (held[first] === one) writeEnded();
      };
      return {
        decided(ruling) {
          decided(one.line, ruling);
          if (!ruling.allowed) over();
        },
        ended(end) {
          ended(one.line, end, looked, names);
          over();
        },
      };
    },
    use(next) {
      used = usedValues(next);
      putHead();
    },
    stats: () => ({ written, lost, leftOut, held: held.length - first }),
    flush: () => output.flush(),
    async close() {
      cancelTimer?.();
      writeEnded(true);
      await output.close();
    },
  };
}
