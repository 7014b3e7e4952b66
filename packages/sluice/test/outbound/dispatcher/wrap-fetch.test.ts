import { memoryStore } from "sluice";
import { createUpstreams, OutboundError, wrapFetch } from "sluice/outbound";
import { manualClock } from "sluice/testing";
import { expect, it, vi } from "vitest";

const answering = (status = 200) => vi.fn<typeof fetch>(async () => new Response("said", { status }));

function start() {
  const clock = manualClock();
  const store = memoryStore({ clock });
  const own = answering();
  const upstreams = createUpstreams(
    { one: { limit: "1/min", maxWaitMs: 0, fetch: own }, two: { limit: "1/10s" } },
    { store },
  );
  return { clock, upstreams, own };
}

it("limits what goes to a named host, in all forms of a request, and nothing else", async () => {
  const { upstreams } = start();
  const fetcher = answering();
  const limited = wrapFetch(upstreams, { "api.example.com": "one" }, fetcher);
  expect(await (await limited("https://api.example.com/1", { method: "POST" })).text()).toBe("said");
  expect(fetcher.mock.lastCall?.[1]?.method).toBe("POST");
  for (const input of [
    "https://api.example.com/2",
    new URL("https://api.example.com/3"),
    new Request("https://api.example.com/4"),
  ]) {
    await expect(limited(input)).rejects.toThrow(OutboundError);
  }
  await limited("https://other.example.com/");
  await limited("https://other.example.com/");
  expect(fetcher).toHaveBeenCalledTimes(3);
  expect(upstreams.one.stats()).toMatchObject({ started: 1, refused: 3 });
});

it("makes requests with the upstream's own fetch where none is given", async () => {
  const { upstreams, own } = start();
  await wrapFetch(upstreams, { "*.example.com": "one" })("https://api.example.com/1");
  expect(own).toHaveBeenCalledTimes(1);
});

it("leaves the queue with the request's signal", async () => {
  const { upstreams } = start();
  const fetcher = answering();
  const limited = wrapFetch(upstreams, { "api.example.com": "two" }, fetcher);
  await limited("https://api.example.com/1");
  const leaving = new AbortController();
  const waiting = limited(new Request("https://api.example.com/2", { signal: leaving.signal }));
  expect(upstreams.two.stats().waiting).toBe(1);
  leaving.abort();
  await expect(waiting).rejects.toMatchObject({ reason: "cancelled" });
  expect(upstreams.two.stats().waiting).toBe(0);
});

it("tries again what may be repeated", async () => {
  const clock = manualClock();
  const upstreams = createUpstreams({ one: { limit: "10/min" } }, { store: memoryStore({ clock }) });
  const fetcher = answering().mockResolvedValueOnce(new Response("bad gateway", { status: 502 }));
  const made = wrapFetch(upstreams, { "api.example.com": "one" }, fetcher)("https://api.example.com/1");
  await clock.advance(10_000);
  expect((await made).status).toBe(200);
  expect(fetcher).toHaveBeenCalledTimes(2);
});
