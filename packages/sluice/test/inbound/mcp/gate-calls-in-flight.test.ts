import { readRefusal } from "sluice/mcp";
import { describe, expect, it } from "vitest";
import { setup } from "./fake-transport.ts";

describe("waiting in line", () => {
  it("lets calls pass in order at the earliest time, and refuses at once what cannot be in time", async () => {
    const { clock, delivered, sent, call } = setup({ tools: { echo: "1/2s" }, wait: true });
    for (const id of [1, 2, 3, 4, 5]) call(id);
    await clock.advance(0);
    expect(delivered.map(({ id }) => id)).toEqual([1]);
    expect(sent.map(({ id }) => id)).toEqual([4, 5]);
    expect(readRefusal(sent[0].result)?.retryAfterMs).toBe(6_000);
    await clock.advance(2_000);
    expect(delivered.map(({ id }) => id)).toEqual([1, 2]);
    await clock.advance(2_000);
    expect(delivered.map(({ id }) => id)).toEqual([1, 2, 3]);
    expect(clock.pending).toBe(0);
  });

  it("drops a call whose cancellation arrives, charges nothing for it, and the server hears of neither", async () => {
    const { clock, delivered, sent, call, receive } = setup({ tools: { echo: "1/2s" }, wait: true });
    for (const id of [1, 2, 3]) call(id);
    await clock.advance(1_000);
    receive({ method: "notifications/cancelled", params: { requestId: 2 } });
    await clock.advance(1_000);
    expect(delivered.map(({ id }) => id)).toEqual([1, 3]);
    expect(sent).toEqual([]);
  });

  it("drops calls that wait when the connection closes", async () => {
    const { clock, delivered, transport, call } = setup({ tools: { echo: "1/2s" }, wait: true });
    transport.onclose = () => {};
    call(1);
    call(2);
    transport.onclose();
    await clock.advance(5_000);
    expect(delivered).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });

  it("waits for a place, and takes it when it is given back", async () => {
    const { clock, delivered, sent, call, transport } = setup({ tools: { slow: { concurrency: 1 } }, wait: true });
    call(1, "slow");
    call(2, "slow");
    await clock.advance(4_000);
    expect(delivered).toHaveLength(1);
    await transport.send({ jsonrpc: "2.0", id: 1, result: {} });
    await clock.advance(0);
    expect(delivered).toHaveLength(2);
    call(3, "slow");
    await clock.advance(5_000);
    expect(sent.at(-1)).toMatchObject({ id: 3, result: { isError: true } });
  });
});

describe("places", () => {
  it("are renewed while a call runs, however long", async () => {
    const { clock, sent, call, transport } = setup({ tools: { slow: { concurrency: 1, leaseMs: 3_000 } } });
    call(1, "slow");
    await clock.advance(60_000);
    call(2, "slow");
    expect(sent).toMatchObject([{ id: 2, result: { isError: true } }]);
    await transport.send({ jsonrpc: "2.0", id: 1, result: {} });
    expect(clock.pending).toBe(0);
    call(3, "slow");
    expect(sent.map(({ id }) => id)).toEqual([2, 1]);
  });

  it("are not leaked by a client that gives one id to several calls", async () => {
    const { clock, sent, call, transport } = setup({ tools: { slow: { concurrency: 2, leaseMs: 3_000 } } });
    call(1, "slow");
    call(1, "slow");
    await transport.send({ jsonrpc: "2.0", id: 1, result: {} });
    await clock.advance(3_000);
    expect(clock.pending).toBe(0);
    for (const id of [2, 3]) call(id, "slow");
    expect(sent.filter(({ result }) => result.isError)).toEqual([]);
  });

  it("of a cancelled call stay taken until the lease ends: cancelling is no way to run more at once", async () => {
    const { clock, sent, call, receive, delivered } = setup({ tools: { slow: { concurrency: 1, leaseMs: 3_000 } } });
    call(1, "slow");
    receive({ method: "notifications/cancelled", params: { requestId: 1 } });
    expect(delivered).toHaveLength(2);
    call(2, "slow");
    expect(sent).toHaveLength(1);
    await clock.advance(3_000);
    call(3, "slow");
    expect(sent).toHaveLength(1);
  });
});

describe("multi-round-trip calls", () => {
  const leg = { inputResponses: { sure: {} }, requestState: "s1" };

  it("are charged for every leg unless told otherwise", () => {
    const { sent, call, transport } = setup({ tools: { confirm: "1/min" } });
    call(1, "confirm");
    void transport.send({ jsonrpc: "2.0", id: 1, result: { resultType: "input_required", requestState: "s1" } });
    call(2, "confirm", undefined, leg);
    expect(sent).toHaveLength(2);
  });

  it('are charged once with mrtr: "once", for a leg that the server asked for, once, of the same client and tool', () => {
    const { sent, delivered, call, transport } = setup({ tools: { confirm: "1/min", other: "1/min" }, mrtr: "once" });
    call(0, "confirm");
    void transport.send({ jsonrpc: "2.0", id: 0, result: { resultType: "input_required", requestState: "s1" } });
    call(1, "confirm", undefined, { ...leg, requestState: "made up" });
    call(2, "confirm");
    expect(delivered).toHaveLength(1);
    call(3, "confirm", undefined, leg);
    expect(delivered).toHaveLength(2);
    call(4, "confirm", undefined, leg);
    expect(delivered).toHaveLength(2);
    expect(sent.filter(({ result }) => result.isError).map(({ id }) => id)).toEqual([1, 2, 4]);
  });
});
