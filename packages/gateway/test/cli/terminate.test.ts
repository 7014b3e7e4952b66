import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { Agent, type IncomingMessage, request } from "node:http";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { call, type Recorder, send, startRecorder } from "../proxy/http/gateway.ts";
import { startMain } from "./start-main.ts";

const children: ChildProcess[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

/** More than sockets hold. */
const ANSWER = JSON.stringify({ jsonrpc: "2.0", id: 1, result: { text: "x".repeat(500_000) } });

describe("SIGTERM to a gateway over HTTP", () => {
  let upstream: Recorder;

  beforeEach(async () => {
    upstream = await startRecorder();
  });
  afterEach(() => upstream.close());

  async function start(drain: string) {
    const { child, url } = await startMain([
      "--upstream",
      upstream.url.href,
      "--tool",
      "*=1000000/s",
      "--drain",
      drain,
    ]);
    children.push(child);
    return { child, url, exited: once(child, "exit") };
  }

  it("lets every call end that was accepted, on connections that are kept too, and takes no other", async () => {
    // Longer than a test may take: nothing but the calls is waited for.
    const { child, url, exited } = await start("10min");
    const agents: Agent[] = [];
    const answered = new Map<number, string>();
    /** Answers after which the client is told to keep no connection. */
    let last = 0;
    let calls = 0;
    let isStopping = false;

    /** Calls on and on, until one is not answered, or rests on its connection as soon as the gateway stops. Says why. */
    async function client(rests: boolean): Promise<string> {
      const agent = new Agent({ keepAlive: true });
      agents.push(agent);
      for (;;) {
        if (rests && isStopping) return "rests";
        const id = ++calls;
        const headers = { "Content-Type": "application/json" };
        const outgoing = request(url, { method: "POST", agent, headers }).end(call(id, "load"));
        try {
          const [response] = (await once(outgoing, "response")) as [IncomingMessage];
          if (response.headers.connection === "close") last++;
          answered.set(id, await text(response));
        } catch (error) {
          return (error as { code: string }).code;
        }
      }
    }

    const held: (() => void)[] = [];
    let isHolding = false;
    upstream.answer = ({ method }, response) => {
      if (!isHolding || method === "GET") return response.end(ANSWER);
      // Of every other answer the client has a part already.
      if (held.length % 2 === 0) response.write(ANSWER.slice(0, 1_000));
      return held.push(() => response.end(response.headersSent ? ANSWER.slice(1_000) : ANSWER));
    };
    const clients = Array.from({ length: 40 }, (_, i) => client(i % 3 === 0));
    while (answered.size < 200) await new Promise(setImmediate);
    isHolding = true;
    while (held.length < clients.length) await new Promise(setImmediate);

    isStopping = true;
    child.kill("SIGTERM");
    const refused = () =>
      send(url, undefined, { method: "GET", path: "/x" }).then(
        () => false,
        ({ code }) => code === "ECONNREFUSED",
      );
    while (!(await refused()));
    isHolding = false;
    expect(last).toBe(0);
    for (const end of held) end();
    const reasons = await Promise.all(clients);
    expect(await exited).toEqual([0, null]);
    expect(last).toBeGreaterThanOrEqual(clients.length / 2);
    for (const agent of agents) agent.destroy();

    const accepted = upstream.received
      .filter(({ method }) => method === "POST")
      .map(({ body }) => JSON.parse(String(body)).id);
    expect(accepted.length).toBeGreaterThanOrEqual(240);
    expect(accepted.filter((id) => answered.get(id) !== ANSWER)).toEqual([]);
    // A connection that is closed while the next call is on its way to it is all that may come instead.
    expect(reasons.filter((code) => !["rests", "ECONNREFUSED", "ECONNRESET", "EPIPE"].includes(code))).toEqual([]);
  });

  it("breaks off what has not ended in time", async () => {
    const { child, url, exited } = await start("50ms");
    const asked = new Promise<void>((resolve) => {
      upstream.answer = () => resolve();
    });
    const broken = expect(send(url, call(1, "endless"))).rejects.toThrow("socket hang up");
    await asked;
    child.kill("SIGTERM");
    await broken;
    expect(await exited).toEqual([0, null]);
  });
});

describe("SIGTERM to a gateway over stdio", () => {
  const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
  const quiet = ["--no-warnings", main, "--log-level", "silent", "--"];

  const graceful = fileURLToPath(new URL("../fixtures/graceful-server.ts", import.meta.url));
  const scripted = fileURLToPath(new URL("../fixtures/scripted-server.ts", import.meta.url));

  /** The gateway in front of a server, and the messages that its client gets. */
  function start(server: string) {
    const child = spawn(process.execPath, [...quiet, process.execPath, "--no-warnings", server], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    children.push(child);
    const messages: any[] = [];
    const lines = createInterface({ input: child.stdout }).on("line", (line) => messages.push(JSON.parse(line)));
    const ended = Promise.all([once(child, "exit"), once(lines, "close")]).then(([exit]) => exit);
    return { child, messages, next: () => once(lines, "line"), ended };
  }

  it("is one to its server, whose answers all come and whose exit code is the gateway's", async () => {
    const { child, messages, next, ended } = start(graceful);
    const asked = next();
    for (let id = 1; id <= 50; id++) child.stdin.write(`${call(id, "x", { last: id === 50 })}\n`);
    await asked;
    expect(messages.splice(0)).toMatchObject([{ params: { count: 50 } }]);
    child.kill("SIGTERM");
    expect(await ended).toEqual([7, null]);
    expect(messages.map(({ id }) => id)).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
    expect(messages.filter(({ id, result }) => result.text !== `${id} `.repeat(10_000))).toEqual([]);
  });

  it("ends the gateway as it ends a server that does not listen to it", async () => {
    const { child, next, ended } = start(scripted);
    const answered = next();
    child.stdin.write(`${call(1, "silent")}\n${call(2, "echo")}\n`);
    await answered;
    child.kill("SIGTERM");
    expect(await ended).toEqual([null, "SIGTERM"]);
  });
});
