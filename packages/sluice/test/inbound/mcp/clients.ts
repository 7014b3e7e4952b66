import { Client as V2Client, StreamableHTTPClientTransport as V2Http } from "@modelcontextprotocol/client";
import { StdioClientTransport as V2Stdio } from "@modelcontextprotocol/client/stdio";
import { Client as V1Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as V1Stdio } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport as V1Http } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

/** The official clients: SDK v1, and SDK v2 in the old and the new era of the protocol. */
export const clientKinds = ["v1", "v2 legacy", "v2 modern"] as const;
export type ClientKind = (typeof clientKinds)[number];

const MODERN = "2026-07-28";

type Target = { readonly url: URL } | { readonly command: string; readonly args: string[] };

const modes = { "v2 legacy": "legacy", "v2 modern": { pin: MODERN }, "v2 auto": "auto" } as const;

/** A connected client. It answers every elicitation with yes. */
export async function connect(
  kind: ClientKind | "v2 auto",
  target: Target,
  onElicit: () => void = () => {},
  wrap: (client: any) => any = (client) => client,
): Promise<any> {
  const info = { name: "test-client", version: "1.0.0" };
  const capabilities = { elicitation: {} };
  const client: any =
    kind === "v1"
      ? new V1Client(info, { capabilities: {} })
      : new V2Client(info, {
          capabilities,
          versionNegotiation: { mode: modes[kind] },
        } as any);
  if (kind !== "v1") {
    client.setRequestHandler("elicitation/create", async () => {
      onElicit();
      return { action: "accept", content: { yes: true } };
    });
  }
  await wrap(client).connect(transportFor(kind, target));
  return client;
}

function transportFor(kind: ClientKind | "v2 auto", target: Target): any {
  if ("url" in target) return kind === "v1" ? new V1Http(target.url) : new V2Http(target.url);
  const { command, args } = target;
  return kind === "v1"
    ? new V1Stdio({ command, args, stderr: "inherit" })
    : new V2Stdio({ command, args, stderr: "inherit" });
}
