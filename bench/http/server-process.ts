/** One server on a free port of the loopback, which tells its CPU time. Arguments: host, limiting, limit. */
import type { AddressInfo } from "node:net";
import { answerQuestions } from "../worker.ts";
import { type HostName, hosts, type Limiting, type MakeServer } from "./servers.ts";

const [host, limiting, limit] = process.argv.slice(2) as [HostName, Limiting, string];
const makeServer = (hosts[host] as Record<string, MakeServer>)[limiting]!;
const server = await makeServer(Number(limit));
server.keepAliveTimeout = 120_000;
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));

answerQuestions((question) => {
  if (question === "port") return (server.address() as AddressInfo).port;
  const { user, system } = process.cpuUsage();
  return user + system;
});
