import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import express from "express";
import fastify from "fastify";
import { Hono } from "hono";
import { createLimiter } from "sluice";
import { rateLimit as limitExpress } from "sluice/express";
import { rateLimit as limitFastify, rateLimitHook } from "sluice/fastify";
import { rateLimit as limitHono } from "sluice/hono";
import { rateLimit as limitNode, withClientAddress } from "sluice/node";
import { rateLimit as limitWeb } from "sluice/web";
import { afterEach, describe, expect, it, vi } from "vitest";
import { clientContext } from "../../../src/inbound/client-context.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  for (const close of closing.splice(0)) await close();
});

async function urlOf(listener: Parameters<typeof createServer>[1]): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("what cannot be is refused when the limit is made", () => {
  it.each([
    ["no quota", {}, "needs `quota`"],
    ["a limiter and a quota", { quota: "1/s", limiter: createLimiter({ quota: "1/s" }) }, "but it has both"],
    ["no limiter", { limiter: {} }, "the result of createLimiter"],
    ["a bad quota", { quota: "often" }, '"often" is not a rate'],
    ["everybody as a proxy", { quota: "1/s", trustProxy: true }, "trustProxy"],
    ["an unknown draft", { quota: "1/s", headers: "draft-12" }, '"draft-12"'],
  ])("%s", (_what, options, message) => {
    expect(() => limitExpress(options as never)).toThrow(message);
  });

  it("a web handler without key and address, a listener without options", () => {
    expect(() => limitWeb(() => new Response(), { quota: "1/s" })).toThrow("`address`");
    expect(() => limitNode(() => {}, undefined as never)).toThrow("needs options");
  });
});

describe("fields of the answer", () => {
  it("are added to responses that cannot be changed, and replace none from a limit further in", async () => {
    const key = () => "a";
    const redirect = limitWeb(() => Response.redirect("http://example.com/"), { quota: "5/min", key });
    const answer = await redirect(new Request("http://example.com/"));
    expect([answer.status, answer.headers.get("ratelimit")]).toEqual([302, '"per-minute";r=4;t=60']);
    const inner = limitWeb(() => new Response("ok"), { quota: "2/min", key });
    const both = await limitWeb(inner, { quota: "5/min", key })(new Request("http://example.com/"));
    expect(both.headers.get("ratelimit")).toBe('"per-minute";r=1;t=60');
  });

  it("survive in Hono when the handler makes its own Response, throws, or is missing", async () => {
    const app = new Hono();
    app.use(limitHono({ quota: "4/min", key: () => "a" }));
    app.get("/raw", () => new Response("raw", { headers: { "x-own": "1" } }));
    app.get("/away", () => Response.redirect("http://example.com/"));
    app.get("/error", () => {
      throw new Error("broken");
    });
    app.onError((_error, context) => context.text("sorry", 500));
    for (const [path, status, left] of [
      ["/raw", 200, 3],
      ["/away", 302, 2],
      ["/error", 500, 1],
      ["/none", 404, 0],
      ["/raw", 429, 0],
    ] as const) {
      const answer = await app.request(path);
      expect([path, answer.status, answer.headers.get("x-ratelimit-remaining")]).toEqual([path, status, `${left}`]);
    }
  });
});

describe("Fastify", () => {
  it("limits the instance and those inside of it, unknown routes as well, but no route that is left out", async () => {
    const app = fastify();
    await app.register(limitFastify, { quota: "3/min", skip: (request) => request.url === "/skipped" });
    app.get("/free", { config: { rateLimit: false } }, () => "free");
    app.get("/skipped", () => "skipped");
    await app.register(async (inside) => {
      inside.get("/inside", () => "inside");
    });
    closing.push(() => app.close());
    const remaining = async (url: string) => (await app.inject(url)).headers["x-ratelimit-remaining"];
    expect(await remaining("/inside")).toBe("2");
    expect(await remaining("/free")).toBeUndefined();
    expect(await remaining("/skipped")).toBeUndefined();
    expect(await remaining("/unknown")).toBe("1");
  });

  it("decides later where it is told to, with what an earlier hook found out", async () => {
    const app = fastify();
    app.decorateRequest("user", "");
    app.addHook("preValidation", async (request) => {
      Object.assign(request, { user: request.headers["x-user"] });
    });
    await app.register(limitFastify, { quota: "1/min", hook: "preHandler", key: (request) => request.user });
    app.get("/", () => "ok");
    closing.push(() => app.close());
    const status = async (user: string) => (await app.inject({ url: "/", headers: { "x-user": user } })).statusCode;
    expect([await status("a"), await status("a"), await status("b")]).toEqual([200, 429, 200]);
  });

  it("takes a payload of any kind, or an answer that was sent already", async () => {
    const app = fastify();
    const own = (onRefused: Parameters<typeof rateLimitHook>[0]["onRefused"]) => ({
      onRequest: rateLimitHook({ quota: "1/min", onRefused: onRefused! }),
    });
    app.get(
      "/object",
      own(async ({ decision }) => ({ quota: decision.quota })),
      () => "ok",
    );
    app.get(
      "/sent",
      own((_refusal, _request, reply) => reply.code(420).send("calm")),
      () => "ok",
    );
    app.get(
      "/fails",
      own(async () => Promise.reject(new Error("broken"))),
      () => "ok",
    );
    closing.push(() => app.close());
    const second = async (url: string) => {
      await app.inject(url);
      return app.inject(url);
    };
    expect((await second("/object")).json()).toEqual({ quota: "per-minute" });
    expect(await second("/sent")).toMatchObject({ statusCode: 420, body: "calm" });
    expect((await second("/fails")).json()).toMatchObject({ statusCode: 500, message: "broken" });
  });
});

describe("node:http", () => {
  it("answers 500 and prints the error when no decision could be made", async () => {
    const print = vi.spyOn(console, "error").mockImplementation(() => {});
    const url = await urlOf(
      limitNode((_request, response) => response.end("ok"), {
        quota: "1/min",
        key: () => Promise.reject(new Error("who?")),
      }),
    );
    const answer = await fetch(url);
    expect([answer.status, await answer.text()]).toEqual([500, "Internal Server Error"]);
    expect(print.mock.calls[0]![1]).toMatchObject({ message: "who?" });
  });

  it("lets code inside of a listener know the client's address, also later", async () => {
    const listener = withClientAddress(
      async (_request, response) => {
        await null;
        response.end(clientContext.address() ?? "nobody");
      },
      { trustProxy: "loopback" },
    );
    const url = await urlOf(listener);
    const from = async (client: string) => (await fetch(url, { headers: { "x-forwarded-for": client } })).text();
    expect(await Promise.all([from("203.0.113.1"), from("2001:db8::1"), from("unknown")])).toEqual([
      "203.0.113.1",
      "2001:db8::/56",
      "nobody",
    ]);
  });
});

it("passes what a custom answer of Express throws to the error handler", async () => {
  const app = express();
  app.get(
    "/",
    limitExpress({ quota: "1/min", onRefused: () => Promise.reject(new Error("broken")) }),
    (_request, response) => {
      response.send("ok");
    },
  );
  const errors: unknown[] = [];
  app.use(((error, _request, response, _next) => {
    errors.push(error);
    response.end();
  }) satisfies express.ErrorRequestHandler);
  const url = await urlOf(app);
  expect([(await fetch(url)).status, (await fetch(url)).status]).toEqual([200, 500]);
  expect(errors).toMatchObject([{ message: "broken" }]);
});

it("a listener that throws is not told twice, nor is it the limit's error", async () => {
  const app = express();
  app.use(
    limitExpress({
      quota: "5/min",
      onDecision: () => {
        throw new Error("listener");
      },
    }),
  );
  vi.spyOn(console, "error").mockImplementation(() => {});
  app.get("/", (_request, response) => void response.send("ok"));
  const url = await urlOf(app);
  expect([(await fetch(url)).status, (await fetch(url)).status]).toEqual([200, 200]);
  expect(console.error).toHaveBeenCalledTimes(1);
});
