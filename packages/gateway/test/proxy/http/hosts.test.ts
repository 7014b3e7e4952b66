import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { call, type Recorder, send, startGateway, startRecorder, type TestGateway } from "./gateway.ts";

let recorder: Recorder;
let gateway: TestGateway;

beforeEach(async () => {
  recorder = await startRecorder();
});

afterEach(async () => {
  await gateway.close();
  await recorder.close();
});

const status = async (host: string) => (await send(gateway.url, call(1, "sum"), { headers: { Host: host } })).status;

describe("the name that a request was sent to", () => {
  it("is left to a server on this machine, which is told it", async () => {
    gateway = await startGateway(recorder.url, {});
    expect(await status("evil.example")).toBe(200);
    expect(recorder.received[0]!.headers.host).toBe("evil.example");
  });

  it("is localhost, when the gateway is on loopback and the server is not: a page can have its own name point here", async () => {
    const elsewhere = new URL(recorder.url);
    // To the gateway no name of this machine, though the system takes it for one.
    elsewhere.hostname = "0.0.0.0";
    gateway = await startGateway(elsewhere, {});
    for (const host of ["localhost", "LOCALHOST:80", "127.0.0.1:8080", "[::1]:8080"])
      expect(await status(host)).toBe(200);
    for (const host of ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example"])
      expect(await status(host)).toBe(421);
    expect(recorder.received).toHaveLength(4);
    expect(recorder.received[0]!.headers).toMatchObject({ host: elsewhere.host, "x-forwarded-host": "localhost" });
  });

  it("is one that the operator listed", async () => {
    gateway = await startGateway(recorder.url, {}, { hosts: ["MCP.example"] });
    expect(await status("mcp.EXAMPLE:443")).toBe(200);
    expect(await status("localhost")).toBe(421);
    const { json } = await send(gateway.url, call(1, "sum"), { headers: { Host: "evil.example" } });
    expect(json.error.message).toContain("hosts, in the policy file");
  });
});
