// A server over stdio for the tests: `node stdio-server.ts v1|v2`. Options come as JSON in the second argument.
import { StdioServerTransport as V1Stdio } from "@modelcontextprotocol/sdk/server/stdio.js";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { rateLimit } from "../../../src/inbound/mcp/index.ts";
import { newLog, v1Server, v2Server } from "./servers.ts";

const [, , generation, json = "{}"] = process.argv;
const options = JSON.parse(json);
if (generation === "v1") await rateLimit(v1Server(newLog()), options).connect(new V1Stdio());
else serveStdio(() => rateLimit(v2Server(newLog()), options));
