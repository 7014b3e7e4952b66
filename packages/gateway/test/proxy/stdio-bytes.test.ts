import { memoryStore } from "sluice";
import { manualClock } from "sluice/testing";
import { describe, expect, it } from "vitest";
import { call, scripted } from "./scripted.ts";

const limits = { tools: { search: "1/h" } } as const;

describe("what passes", () => {
  it("passes as it came, byte by byte", async () => {
    const proxy = scripted(limits);
    const lines = [
      '{ "jsonrpc":"2.0",  "id" : 1, "method":"tools/call","params":{"name":"sum","arguments":{"n":12345678901234567890,"x":1.0e2}} }',
      '{"jsonrpc":"2.0","method":"notifications/progress","params":{"text":"ſ € 😀 \\u0000"}}',
      '{"jsonrpc":"2.0","id":2,"method":"ping"}\r',
      "",
      "  ",
      `{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"big","arguments":{"text":"${"😀".repeat(2_000)}"}}}`,
    ];
    const bytes = Buffer.from(`${lines.join("\n")}\n`);
    // In pieces that end within characters.
    for (let from = 0; from < bytes.length; from += 97) proxy.send(bytes.subarray(from, from + 97));
    const seen = await proxy.end();
    expect(seen).toEqual(lines);
  });

  it("passes without a newline at the end of the input", async () => {
    const proxy = scripted(limits);
    proxy.send(call(1, "sum"));
    expect(await proxy.end()).toEqual([call(1, "sum")]);
  });
});

describe("what is refused", () => {
  it("is answered to the client, and the server never hears of it", async () => {
    const proxy = scripted(limits);
    await proxy.ask(1, "tools/call", { name: "search" });
    const refused = await proxy.ask(2, "tools/call", { name: "search" });
    expect(refused.result).toMatchObject({ isError: true });
    expect(refused.result.content[0].text).toMatch(/the tool "search" may be used 1 per hour/);
    expect(await proxy.end()).toHaveLength(1);
  });

  it("never stands within a line of the server", async () => {
    const proxy = scripted(limits);
    await proxy.ask(1, "tools/call", { name: "search" });
    const half = proxy.ask(2, "half");
    // The server has begun its line when it has seen this notification, and it ends it with the answer to the last one.
    proxy.send(`${call(3, "search")}\n`);
    const whole = proxy.ask(4, "tools/list");
    expect((await half).result).toEqual({ half: true });
    expect((await proxy.next()).id).toBe(3);
    expect((await whole).id).toBe(4);
    await proxy.end();
  });

  it("is a whole batch, with one answer for each request", async () => {
    const proxy = scripted(limits);
    proxy.send(`[${call(1, "search")},${call(2, "search")},{"jsonrpc":"2.0","method":"notifications/x"}]\n`);
    const answers = await proxy.next();
    expect(answers.map(({ id, result }: any) => [id, result.isError])).toEqual([
      [1, true],
      [2, true],
    ]);
    expect(await proxy.end()).toEqual([]);
  });

  it("is no notification, response or cancellation", async () => {
    const proxy = scripted({ ...limits, perClient: "1/h" });
    await proxy.ask(1, "tools/call", { name: "search" });
    const lines = [
      '{"jsonrpc":"2.0","method":"notifications/initialized"}',
      '{"jsonrpc":"2.0","id":7,"result":{}}',
      '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}',
      '{"jsonrpc":"2.0","id":8,"method":"ping"}',
    ];
    proxy.send(`${lines.join("\n")}\n`);
    expect((await proxy.end()).slice(1)).toEqual(lines);
  });
});

describe("what could be read in another way", () => {
  it.each([
    [
      "a key that stands twice",
      '{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call","params":{"name":"search"}}',
      1,
    ],
    [
      "another spelling",
      '{"jsonrpc":"2.0","id":2,"method":"ping","Method":"tools/call","params":{"name":"search"}}',
      2,
    ],
  ])("is not passed on: %s", async (_, line, id) => {
    const proxy = scripted(limits);
    proxy.send(`${line}\n`);
    expect(await proxy.next()).toMatchObject({ id, error: { code: -32_600 } });
    expect(await proxy.end()).toEqual([]);
  });

  it("is not passed on when only a lenient parser can read it", async () => {
    const proxy = scripted(limits);
    proxy.send('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search","x":NaN}}\n');
    expect(await proxy.next()).toMatchObject({ id: null, error: { code: -32_700 } });
    expect(await proxy.end()).toEqual([]);
  });

  it("is not passed on when it is too long to be read, and what follows is", async () => {
    const proxy = scripted(limits, { maxMessageBytes: 1_000 });
    proxy.send(`${call(1, "sum", { text: "x".repeat(1_000) })}\n${call(2, "sum")}\n`);
    expect(await proxy.next()).toMatchObject({ id: null, error: { message: expect.stringContaining("1000 bytes") } });
    expect(await proxy.end()).toEqual([call(2, "sum")]);
  });
});

describe("a call that waits", () => {
  it("is dropped when it is cancelled: the server hears of neither, and it costs nothing", async () => {
    const clock = manualClock();
    const proxy = scripted({ tools: { search: "1/10s" }, wait: { maxWaitMs: 20_000 }, store: memoryStore({ clock }) });
    await proxy.ask(1, "tools/call", { name: "search" });
    proxy.send(`${call(2, "search")}\n`);
    proxy.send('{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}\n');
    await proxy.ask(3, "ping");
    await clock.advance(10_000);
    expect((await proxy.ask(4, "tools/call", { name: "search" })).result.seen).toBe(3);
    expect(await proxy.end()).toHaveLength(3);
  });

  it("is passed on before the server hears that the client's input has ended", async () => {
    const clock = manualClock();
    const proxy = scripted({ tools: { search: "1/10s" }, wait: { maxWaitMs: 20_000 }, store: memoryStore({ clock }) });
    await proxy.ask(1, "tools/call", { name: "search" });
    proxy.send(`${call(2, "search")}\n`);
    await proxy.ask(3, "ping");
    const seen = proxy.end();
    await clock.advance(10_000);
    expect(await seen).toHaveLength(3);
  });
});

describe("places", () => {
  it("are held until the server has answered", async () => {
    const proxy = scripted({ tools: { silent: { concurrency: 1 }, echo: { concurrency: 1 } } });
    proxy.send(`${call(1, "silent")}\n`);
    expect((await proxy.ask(2, "tools/call", { name: "silent" })).result.isError).toBe(true);
    expect((await proxy.ask(3, "tools/call", { name: "echo" })).result.line).toBeDefined();
    expect((await proxy.ask(4, "tools/call", { name: "echo" })).result.line).toBeDefined();
    await proxy.end();
  });

  it("of a call that is cancelled while it runs stay taken: the server may go on", async () => {
    const proxy = scripted({ tools: { silent: { concurrency: 1 } } });
    proxy.send(`${call(1, "silent")}\n`);
    proxy.send('{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}\n');
    expect((await proxy.ask(2, "tools/call", { name: "silent" })).result.isError).toBe(true);
    expect(await proxy.end()).toHaveLength(2);
  });
});

describe("the end of the server", () => {
  it("is that of the proxy: code", async () => {
    const proxy = scripted(limits);
    proxy.send('{"jsonrpc":"2.0","method":"exit","params":{"code":7}}\n');
    expect(await proxy.ended).toEqual({ code: 7 });
  });

  it("is that of the proxy: signal", async () => {
    const proxy = scripted(limits);
    proxy.send('{"jsonrpc":"2.0","method":"signal","params":{"signal":"SIGKILL"}}\n');
    expect(await proxy.ended).toMatchObject({ signal: "SIGKILL" });
  });
});

describe("a loop", () => {
  it("is seen in the answers of the server, and the model is told", async () => {
    const proxy = scripted({ loops: { warnAfter: 2, slowMs: 0 } });
    const same = (id: number) => proxy.ask(id, "tools/call", { name: "same", arguments: {} });
    expect([(await same(1)).result.same, (await same(2)).result.same]).toEqual([true, true]);
    expect((await same(3)).result.content[0].text).toContain('the tool "same" 2 times');
    expect((await same(4)).result.same).toBe(true);
    // What differs is none.
    for (const id of [5, 6, 7])
      expect((await proxy.ask(id, "tools/call", { name: "other" })).result.line).toBeDefined();
    expect(await proxy.end()).toHaveLength(6);
  });
});
