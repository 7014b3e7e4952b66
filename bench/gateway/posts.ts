import { Agent, request } from "node:http";

/** Posts to one endpoint, some at a time, over connections that are kept alive. */
export interface Posts {
  send(count: number): Promise<void>;
}

const CONNECTIONS = 8;
const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });

const INITIALIZE = {
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "bench", version: "1" } },
};
const CALL = { method: "tools/call", params: { name: "echo", arguments: { text: "hello" } } };

/** @param hasSessions the server wants to be initialized first */
export async function openPosts(url: string, hasSessions: boolean): Promise<Posts> {
  let id = 0;
  const headers: Record<string, string> = {
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    "mcp-protocol-version": "2025-11-25",
  };
  const post = (message: object, isNotification = false) => {
    const body = JSON.stringify({ jsonrpc: "2.0", ...(isNotification ? {} : { id: ++id }), ...message });
    return new Promise<string | undefined>((resolve, reject) => {
      const outgoing = request(url, {
        method: "POST",
        agent,
        headers: { ...headers, "content-length": Buffer.byteLength(body) },
      });
      outgoing.on("error", reject).on("response", (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => {
          text += chunk;
        });
        response.on("end", () => {
          const isRight = isNotification
            ? response.statusCode! < 300
            : text.includes('"hello"') || message === INITIALIZE;
          if (isRight) resolve(response.headers["mcp-session-id"] as string | undefined);
          else reject(new Error(`${url} answered ${response.statusCode}: ${text}`));
        });
      });
      outgoing.end(body);
    });
  };
  if (hasSessions) {
    const session = await post(INITIALIZE);
    if (session !== undefined) headers["mcp-session-id"] = session;
    await post({ method: "notifications/initialized" }, true);
  }
  return {
    async send(count) {
      let left = count;
      const lane = async () => {
        while (left-- > 0) await post(CALL);
      };
      await Promise.all(Array.from({ length: CONNECTIONS }, lane));
    },
  };
}
