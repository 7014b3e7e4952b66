import { memoryStore } from "sluice";
import { limitFetch } from "sluice/mcp";
import { manualClock } from "sluice/testing";
import { afterEach, describe, expect, it, vi } from "vitest";

afterEach(() => vi.restoreAllMocks());

describe("limitFetch", () => {
  const post = (body: unknown, headers = {}) =>
    new Request("http://localhost/mcp", {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
  const toolCall = (id: number, name = "echo") => ({ jsonrpc: "2.0", id, method: "tools/call", params: { name } });

  function limited(options: Parameters<typeof limitFetch>[1]) {
    const bodies: string[] = [];
    const fetch = limitFetch(
      async (request) => {
        bodies.push(await request.text());
        return Response.json({ served: true });
      },
      { store: memoryStore({ clock: manualClock() }), client: () => "me", ...options },
    );
    return { bodies, fetch };
  }

  it("refuses on HTTP 200 with Retry-After, or on 429 by option", async () => {
    for (const httpStatus of [200, 429] as const) {
      const { bodies, fetch } = limited({ tools: { echo: "1/min" }, httpStatus });
      await fetch(post(toolCall(1)));
      const response = await fetch(post(toolCall(2)));
      expect(response.status).toBe(httpStatus);
      expect(response.headers.get("retry-after")).toBe("60");
      expect(await response.json()).toMatchObject({ id: 2, result: { isError: true, resultType: "complete" } });
      expect(bodies).toHaveLength(1);
    }
  });

  it("sends the fields of HTTP rate limits with a 429", async () => {
    const { fetch } = limited({ tools: { echo: ["1/min", { concurrency: 9 }] }, global: "100/min", httpStatus: 429 });
    await fetch(post(toolCall(1)));
    const { headers } = await fetch(post(toolCall(2)));
    expect(headers.get("ratelimit-policy")).toBe('"global.per-minute";q=100;w=60, "tools.echo.per-minute";q=1;w=60');
    expect(headers.get("ratelimit")).toContain('"tools.echo.per-minute";r=0;t=60');
    expect(headers.get("x-ratelimit-remaining")).toBe("0");
  });

  it("drops a waiting call when its session cancels it, and not when another does", async () => {
    const clock = manualClock();
    const { bodies, fetch } = limited({ tools: { echo: "1/2s" }, wait: true, store: memoryStore({ clock }) });
    const session = (id: string) => ({ "mcp-session-id": id });
    const cancel = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 2 } };
    await fetch(post(toolCall(1)));
    const waiting = fetch(post(toolCall(2), session("a")));
    await clock.advance(0);
    await fetch(post(cancel, session("b")));
    await clock.advance(1_000);
    expect(clock.pending).toBeGreaterThan(0);
    await fetch(post(cancel, session("a")));
    expect((await waiting).status).toBe(202);
    expect(bodies.filter((body) => body.includes("tools/call"))).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });

  it("admits all requests of a batch or none, and answers each", async () => {
    const { bodies, fetch } = limited({ tools: { echo: "2/min" } });
    const refused = await fetch(
      post([toolCall(1), toolCall(2), { jsonrpc: "2.0", method: "notifications/x" }, toolCall(3)]),
    );
    expect((await refused.json()).map(({ id }: any) => id)).toEqual([1, 2, 3]);
    await fetch(post([toolCall(1), toolCall(2)]));
    expect(bodies).toHaveLength(1);
    expect(await (await fetch(post(toolCall(3)))).json()).toMatchObject({ result: { isError: true } });
  });

  it.each([
    ["what is not JSON", post("{")],
    ["GET", new Request("http://localhost/mcp")],
    ["DELETE", new Request("http://localhost/mcp", { method: "DELETE" })],
    ["a notification", post({ jsonrpc: "2.0", method: "notifications/cancelled" })],
    ["null", post("null")],
  ])("leaves %s to the handler, with its body", async (_what, request) => {
    const { bodies, fetch } = limited({ perClient: "1/h" });
    const body = await request.clone().text();
    await fetch(post(toolCall(1)));
    expect(await (await fetch(request)).json()).toEqual({ served: true });
    expect(bodies.at(-1)).toBe(body);
  });

  it("counts calls whatever the content type says, and refuses bodies that it cannot read whole", async () => {
    const { bodies, fetch } = limited({ tools: { echo: "1/min" }, maxBodyBytes: 1000 });
    await fetch(post(toolCall(1), { "content-type": "text/plain" }));
    expect(await (await fetch(post(toolCall(2)))).json()).toMatchObject({ result: { isError: true } });
    const padded = await fetch(post({ ...toolCall(3), padding: "x".repeat(2000) }));
    expect(padded.status).toBe(413);
    expect(bodies).toHaveLength(1);
  });

  it("takes the address that the platform tells", async () => {
    vi.spyOn(console, "warn").mockImplementation(() => {});
    const fetch = limitFetch(async (_request: Request) => new Response("ok"), {
      store: memoryStore(),
      perClient: "1/h",
      address: (request) => request.headers.get("x-client"),
    });
    const from = async (address: string) => (await fetch(post(toolCall(1), { "x-client": address }))).text();
    expect([await from("a"), await from("b")]).toEqual(["ok", "ok"]);
    expect(await from("a")).toContain("isError");
  });

  it("gives places back when the answer has been read, or the handler throws", async () => {
    const clock = manualClock();
    let answer: () => Promise<Response> = async () => new Response("ok");
    const fetch = limitFetch((_request: Request) => answer(), {
      store: memoryStore({ clock }),
      client: () => "me",
      tools: { echo: { concurrency: 1 } },
    });
    const unread = await fetch(post(toolCall(1)));
    expect(await (await fetch(post(toolCall(2)))).text()).toContain("isError");
    expect(await unread.text()).toBe("ok");
    answer = () => Promise.reject(new Error("broken"));
    await expect(fetch(post(toolCall(3)))).rejects.toThrow("broken");
    answer = async () => new Response(null, { status: 202 });
    expect((await fetch(post(toolCall(4)))).status).toBe(202);
    expect((await fetch(post(toolCall(5)))).status).toBe(202);
    expect(clock.pending).toBe(0);
  });
});
