import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sha256 } from "../../src/identity/api-keys.ts";
import { startMain } from "../cli/start-main.ts";
import { call, type Recorder, send, startRecorder } from "../proxy/http/gateway.ts";

export const TOKEN = "a-token-of-operators";

/** A gateway in a process of its own, with a policy file and clients who have keys. */
export interface Watchable {
  /** Of the live page. */
  readonly page: string;
  readonly admin: URL;
  /** Writes other policies into its file. */
  write(policies: string): void;
  readonly server: Recorder;
  /** Calls of a client, one after the other. Resolves to what refused ones were told. */
  calls(count: number, tool: string, client?: string): Promise<readonly string[]>;
  /** Asks the admin API. */
  ask(path: string): Promise<any>;
  stop(): Promise<void>;
}

const CLIENTS = ["ann", "bob", "crawler", "nightly-import"] as const;

const keyOf = (client: string) => `key-of-${client}`;

const identity = `
identity:
  apiKeys:
    keys:
${CLIENTS.map((name) => `      - { name: ${name}, sha256: ${sha256(keyOf(name))} }`).join("\n")}
`;

/** @param port the admin port. @default any */
export async function startWatchable(policies: string, { port = 0, token = TOKEN } = {}): Promise<Watchable> {
  const server = await startRecorder();
  server.answer = (_request, response, body) => {
    const { id } = JSON.parse(body.toString());
    const result = { content: [{ type: "text", text: "done" }] };
    response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify({ jsonrpc: "2.0", id, result }));
  };
  const file = join(mkdtempSync(join(tmpdir(), "sluice-page-")), "sluice.yaml");
  writeFileSync(file, policies + identity);
  const env = { SLUICE_ADMIN_TOKEN: token, SLUICE_ADMIN: "" };
  const args = ["--upstream", server.url.href, "-c", file];
  const { child, url, admin } = await startMain(args, env, ["--listen", "127.0.0.1:0"], [], port);
  let id = 0;
  return {
    page: admin.href,
    admin,
    write: (next) => writeFileSync(file, next + identity),
    server,
    async calls(count, tool, client) {
      const headers = client === undefined ? {} : { "X-Api-Key": keyOf(client) };
      const told: string[] = [];
      for (let i = 0; i < count; i++) {
        const { json } = await send(url, call(++id, tool), { headers });
        if (json?.result?.isError) told.push(json.result.content[0].text);
      }
      return told;
    },
    async ask(path) {
      const headers = { Authorization: `Bearer ${token}` };
      return (await fetch(new URL(path, admin), { headers })).json();
    },
    async stop() {
      const ended = child.exitCode ?? child.signalCode ?? new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await Promise.all([ended, server.close()]);
    },
  };
}
