import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterEach, expect, it } from "vitest";
import { call, send, startGateway } from "./gateway.ts";

const children: ChildProcess[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

const server = fileURLToPath(new URL("../../fixtures/stream-server.ts", import.meta.url));
const listeners = fileURLToPath(new URL("../../fixtures/stream-clients.ts", import.meta.url));

function run(file: string, ...args: readonly (string | number)[]): ChildProcess {
  const child = fork(file, args.map(String), { execArgv: ["--no-warnings"] });
  children.push(child);
  return child;
}

const told = async (child: ChildProcess): Promise<unknown> => (await once(child, "message"))[0];

const ask = (child: ChildProcess, order: object): Promise<unknown> => {
  const done = told(child);
  child.send(order);
  return done;
};

/** Ten thousand, or as many as this process may have: each costs the gateway two sockets. */
function howMany(): number {
  const { userLimits } = process.report.getReport() as any;
  const limit = Number(userLimits.open_files.soft);
  return Math.min(10_000, Math.floor(((Number.isNaN(limit) ? Number.POSITIVE_INFINITY : limit) - 400) / 2));
}

/** Sockets of this process, on either side of the gateway. */
const sockets = () => process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length;

it("holds thousands of idle streams, goes on answering and limiting, and lets go of all of them", async () => {
  const count = howMany();
  expect(count).toBeGreaterThan(100);
  const upstream = run(server);
  const url = new URL(`http://127.0.0.1:${await told(upstream)}/mcp`);
  const before = sockets();
  const gateway = await startGateway(url, { tools: { search: "1/h" } });
  try {
    const clients = run(listeners, gateway.url.port, count);
    expect(await told(clients)).toBe("data: hello");
    expect(await gateway.connections()).toBe(count);

    for (let id = 1; id <= 100; id++) expect((await send(gateway.url, call(id, "other"))).json.result).toEqual({});
    expect((await send(gateway.url, call(101, "search"))).json.result).toEqual({});
    expect((await send(gateway.url, call(102, "search"))).json.result.isError).toBe(true);

    // Each of them still hears what the server says.
    const heard = told(clients);
    await ask(upstream, { say: "more" });
    expect(await heard).toBe("data: more");

    const left = ask(upstream, { until: 0 });
    clients.kill("SIGKILL");
    await left;
    while ((await gateway.connections()) > 0) await new Promise(setImmediate);
    expect((await send(gateway.url, call(103, "other"))).json.result).toEqual({});
  } finally {
    await gateway.close();
  }
  while (sockets() > before) await new Promise(setImmediate);
}, 120_000);
