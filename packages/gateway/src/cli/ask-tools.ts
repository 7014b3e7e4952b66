import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { CliError, ExitCode } from "./exit-code.ts";

/** A tool, as its server describes it. */
export interface ToolFacts {
  readonly name: string;
  readonly title?: string | undefined;
  readonly readOnly?: boolean | undefined;
  readonly destructive?: boolean | undefined;
}

/** Where a server is. */
export type ServerAt = { readonly command: readonly string[] } | { readonly url: string };

const PATIENCE_MS = 20_000;
const MOST_PAGES = 50;

/**
 * Asks a server which tools it has, as any client would.
 *
 * @throws CliError when it cannot be asked
 */
export async function askTools(server: ServerAt): Promise<readonly ToolFacts[]> {
  const client = new Client({ name: "sluice-init", version: "1.0.0" });
  const tools: ToolFacts[] = [];
  try {
    await client.connect(transportTo(server), { timeout: PATIENCE_MS });
    if (client.getServerCapabilities()?.tools === undefined) return [];
    let cursor: string | undefined;
    for (let page = 0; page < MOST_PAGES; page++) {
      const found = await client.listTools(cursor === undefined ? {} : { cursor }, { timeout: PATIENCE_MS });
      for (const { name, title, annotations } of found.tools) {
        tools.push({
          name,
          title: title ?? annotations?.title,
          readOnly: annotations?.readOnlyHint,
          destructive: annotations?.destructiveHint,
        });
      }
      cursor = found.nextCursor;
      if (cursor === undefined) break;
    }
    return tools;
  } catch (cause) {
    throw new CliError(
      `The server could not be asked for its tools: ${(cause as Error).message}. Without a server, "sluice init" writes a file that fits any.`,
      ExitCode.failed,
      { cause },
    );
  } finally {
    await client.close().catch(() => {});
  }
}

function transportTo(server: ServerAt) {
  if ("url" in server) return new StreamableHTTPClientTransport(new URL(server.url));
  const [command = "", ...args] = server.command;
  return new StdioClientTransport({ command, args, env: process.env as Record<string, string> });
}
