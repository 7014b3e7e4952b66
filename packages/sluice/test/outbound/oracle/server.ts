import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { seeded } from "../../algorithms/seeded.ts";
import { type HeaderStyle, headersOf } from "./headers.ts";
import { nanoseconds, type PolicyName, type PolicyOptions, policies } from "./policies.ts";

export interface OracleOptions extends PolicyOptions {
  /** How it counts. @default "sliding" */
  readonly policy?: PolicyName;
  /** The way there: least and most milliseconds between the request and its arrival. @default none */
  readonly beforeMs?: readonly [least: number, most: number];
  /** The work and the way back: least and most milliseconds between the arrival and the answer. @default none */
  readonly afterMs?: readonly [least: number, most: number];
  /** Of the random latencies. @default 1 */
  readonly seed?: number;
  /** After a violation everything is refused with 403 for so long. @default not at all */
  readonly banMs?: number;
  /** What answers say about the limit. @default nothing */
  readonly headers?: readonly HeaderStyle[];
}

/** A request, as the server saw it. */
interface Arrival {
  /** Milliseconds of the machine's monotonic clock: processes can be compared. */
  readonly atMs: number;
  readonly path: string;
  readonly status: number;
}

interface OracleReport {
  readonly arrivals: readonly Arrival[];
  /** Those not answered with 200. */
  readonly rejected: number;
  /** The most that it had at once, from their arrival to their answer. */
  readonly peak: number;
}

/** A judge of calls that go out: an HTTP server on the loopback with a limit of its own, which stamps what arrives. */
export interface Oracle {
  /** Any path but `/arrivals`, which answers with the report. */
  readonly url: string;
  report(): Promise<OracleReport>;
  stop(): Promise<void>;
}

export async function startOracle(options: OracleOptions): Promise<Oracle> {
  const { policy = "sliding", beforeMs = [0, 0], afterMs = [0, 0], seed = 1, banMs = 0, headers = [] } = options;
  const judge = policies[policy](options);
  const random = seeded(seed);
  const arrivals: Arrival[] = [];
  let [present, peak] = [0, 0];
  let bannedUntil = 0n;
  const report = (): OracleReport => ({
    arrivals: [...arrivals],
    rejected: arrivals.filter(({ status }) => status !== 200).length,
    peak,
  });

  function arrive(path: string, response: ServerResponse): void {
    const at = process.hrtime.bigint();
    present++;
    peak = Math.max(peak, present);
    const verdict = at < bannedUntil ? undefined : judge(at);
    const status = verdict === undefined ? 403 : verdict.allowed ? 200 : 429;
    if (status === 429) bannedUntil = at + nanoseconds(banMs);
    arrivals.push({ atMs: Number(at) / 1e6, path, status });
    response.writeHead(status, verdict && headersOf(headers, options, verdict));
  }

  const server = createServer(async (request, response) => {
    const path = request.url ?? "/";
    if (path === "/arrivals") {
      response.end(JSON.stringify(report()));
      return;
    }
    // Both are drawn now: what a request gets does not depend on who overtakes it on the way.
    const [before, after] = [between(beforeMs, random()), between(afterMs, random())];
    request.resume();
    // Who leaves meanwhile does not stop the request: it is on its way.
    if (before > 0) await pause(before);
    arrive(path, response);
    if (after > 0) await pause(after);
    present--;
    response.end("ok");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    report: async () => report(),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const between = ([least, most]: readonly [number, number], share: number): number => least + share * (most - least);
