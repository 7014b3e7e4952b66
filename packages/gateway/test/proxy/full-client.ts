import { Client as V2Client, StreamableHTTPClientTransport as V2Http } from "@modelcontextprotocol/client";
import { StdioClientTransport as V2Stdio } from "@modelcontextprotocol/client/stdio";
import { Client as V1Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as V1Stdio } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport as V1Http } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
} from "@modelcontextprotocol/sdk/types.js";
import type { ClientKind } from "../../../sluice/test/inbound/mcp/clients.ts";

export type Target = { readonly url: URL } | { readonly command: string; readonly args: string[] };

/** An official client that can be asked for everything, and what it sees. */
export interface FullClient {
  /** The client of its SDK: both have the same methods, mostly. */
  readonly client: any;
  readonly transport: any;
  /** Messages as they come in: requests and notifications of the server. */
  readonly told: any[];
  /** Answers of the server, as they come in. */
  readonly answers: any[];
  /** Answers over HTTP: status and header fields, and kinds of streams. */
  exchanges(): readonly string[];
  /** Resolves when the server has said something like that. */
  hears(isIt: (message: any) => boolean): Promise<void>;
  connect(): Promise<void>;
}

const INFO = { name: "full-client", version: "1.0.0" };
const CAPABILITIES = { elicitation: { form: {} }, sampling: {}, roots: { listChanged: true } };
/** They say nothing about the server, or something else each time. */
const LEFT_OUT = new Set(["date", "connection", "keep-alive", "transfer-encoding", "mcp-session-id"]);

const elicited = async ({ params }: any) =>
  params.message === "Really?"
    ? { action: "decline" as const }
    : { action: "accept" as const, content: { name: "Ann" } };
const sampled = async () => ({
  role: "assistant" as const,
  content: { type: "text" as const, text: "Something." },
  model: "test",
  stopReason: "endTurn",
});
const rooted = async () => ({ roots: [{ uri: "file:///home/ann", name: "home" }] });

export function fullClient(kind: ClientKind, target: Target): FullClient {
  const told: any[] = [];
  const answers: any[] = [];
  const posted: string[] = [];
  const streams = new Set<string>();
  const waiting = new Set<() => void>();
  const listens = Promise.withResolvers<void>();

  /** What any client does, and a note of what came. */
  async function noted(url: any, init?: any): Promise<Response> {
    const { method = "GET", headers } = init ?? {};
    const response = await fetch(url, init);
    // How often clients ask for streams again depends on time: only what they get is noted.
    if (method === "GET") {
      const how = new Headers(headers).has("last-event-id") ? "the rest of a stream" : "a stream";
      if (response.ok) streams.add(`${how}: ${response.headers.get("content-type")}`);
      listens.resolve();
      return response;
    }
    const fields = [...response.headers].filter(([name]) => !LEFT_OUT.has(name)).map((field) => field.join(": "));
    const session = response.headers.has("mcp-session-id") ? ["session"] : [];
    posted.push([`${method} ${response.status}`, ...session, ...fields].join(" | "));
    return response;
  }

  const transport: any = transportFor(kind, target, noted);
  // The SDKs call one that is there before their own.
  transport.onmessage = (message: any) => {
    (message.method === undefined ? answers : told).push(message);
    for (const look of waiting) look();
  };
  const client = clientFor(kind);
  return {
    client,
    transport,
    told,
    answers,
    exchanges: () => [...streams, ...posted].sort(),
    hears: (isIt) =>
      new Promise((resolve) => {
        const look = () => {
          if (!told.some(isIt)) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      }),
    async connect() {
      await client.connect(transport);
      // What a session says by itself comes over a stream that has to be open.
      if ("url" in target && kind !== "v2 modern") await listens.promise;
    },
  };
}

function clientFor(kind: ClientKind): any {
  if (kind === "v1") {
    const client = new V1Client(INFO, { capabilities: CAPABILITIES });
    client.setRequestHandler(ElicitRequestSchema, elicited);
    client.setRequestHandler(CreateMessageRequestSchema, sampled);
    client.setRequestHandler(ListRootsRequestSchema, rooted);
    return client;
  }
  const mode = kind === "v2 modern" ? { pin: "2026-07-28" } : "legacy";
  const client = new V2Client(INFO, { capabilities: CAPABILITIES, versionNegotiation: { mode } } as any);
  client.setRequestHandler("elicitation/create", elicited);
  client.setRequestHandler("sampling/createMessage", sampled);
  client.setRequestHandler("roots/list", rooted);
  return client;
}

function transportFor(kind: ClientKind, target: Target, fetch: typeof globalThis.fetch): unknown {
  if ("url" in target) return new (kind === "v1" ? V1Http : V2Http)(target.url, { fetch });
  return new (kind === "v1" ? V1Stdio : V2Stdio)({ ...target, stderr: "inherit" });
}
