// An official MCP client that calls get_time until it is told to wait, and then does as it is told.
import { setTimeout as sleep } from "node:timers/promises";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { readRefusal } from "sluice/mcp";

const url = new URL(process.argv[2] ?? "http://localhost:8000/mcp");
const client = new Client({ name: "sluice-try", version: "1.0.0" }, { versionNegotiation: { mode: "auto" } });
await client.connect(new StreamableHTTPClientTransport(url));
console.log("Tools:", (await client.listTools()).tools.map(({ name }) => name).join(", "));

for (;;) {
  const result = await client.callTool({ name: "get_time", arguments: {} });
  const [said] = result.content as { text: string }[];
  console.log(result.isError ? "refused:" : "allowed:", said?.text);
  const refusal = readRefusal(result);
  if (refusal === undefined) continue;
  console.log("data:   ", JSON.stringify(refusal));
  console.log(`waiting ${refusal.retryAfterMs} ms, as it says ...`);
  await sleep(refusal.retryAfterMs ?? 0);
  const again = await client.callTool({ name: "get_time", arguments: {} });
  console.log(again.isError ? "refused again:" : "allowed:", (again.content as { text: string }[])[0]?.text);
  break;
}
await client.close();
