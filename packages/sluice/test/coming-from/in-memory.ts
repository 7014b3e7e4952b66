import { Client as V2Client, InMemoryTransport as V2Pair } from "@modelcontextprotocol/client";
import { Client as V1Client } from "@modelcontextprotocol/sdk/client/index.js";
import { InMemoryTransport as V1Pair } from "@modelcontextprotocol/sdk/inMemory.js";
import { memoryStore } from "sluice";
import { type McpRateLimitOptions, rateLimit, readRefusal } from "sluice/mcp";
import { type ManualClock, manualClock } from "sluice/testing";
import { newLog, v1Server, v2Server } from "../inbound/mcp/servers.ts";

export const generations = ["v1", "v2"] as const;
export type Generation = (typeof generations)[number];

/** A limited server that official clients connect to within this process. */
export interface Served {
  readonly clock: ManualClock;
  /** What the tools did. */
  readonly runs: readonly string[];
  /** Ends all runs of the tool `slow`. */
  release(): void;
  /** A connected client of the same SDK, with what its verified token says. */
  connect(authInfo?: { clientId: string }): Promise<any>;
}

/** Every client gets a server of its own, as with stdio and sessions; the limits are those of one store. */
export function serve(generation: Generation, options: McpRateLimitOptions): Served {
  const clock = manualClock();
  const store = memoryStore({ clock });
  const log = newLog();
  const info = { name: "test-client", version: "1.0.0" };
  return {
    clock,
    runs: log.runs,
    release: log.release,
    async connect(authInfo) {
      const [near, far]: any[] = generation === "v1" ? V1Pair.createLinkedPair() : V2Pair.createLinkedPair();
      const server: any = generation === "v1" ? v1Server(log) : v2Server(log);
      await rateLimit(server, { store, ...options }).connect(far);
      const send = near.send.bind(near);
      near.send = (message: any, more: any) => send(message, { ...more, authInfo });
      const client: any = generation === "v1" ? new V1Client(info) : new V2Client(info);
      await client.connect(near);
      return client;
    },
  };
}

export const echo = (client: any, text = "x"): Promise<any> => client.callTool({ name: "echo", arguments: { text } });

/** Whether each of `count` calls passed. */
export async function passed(count: number, call: () => Promise<any>): Promise<boolean[]> {
  const answers: boolean[] = [];
  for (let i = 0; i < count; i++) {
    answers.push(readRefusal(await call().catch((error: unknown) => error)) === undefined);
  }
  return answers;
}

/** `times(20, true)`: twenty times the same answer. */
export const times = <T>(count: number, value: T): T[] => new Array<T>(count).fill(value);
