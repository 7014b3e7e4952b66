import { createServer, type Server } from "node:http";
import fastifyRateLimit from "@fastify/rate-limit";
import { createAdaptorServer } from "@hono/node-server";
import express from "express";
import { rateLimit as expressRateLimit } from "express-rate-limit";
import Fastify from "fastify";
import { Hono } from "hono";
import { rateLimiter as honoRateLimiter } from "hono-rate-limiter";
import { rateLimit as sluiceExpress } from "sluice/express";
import { rateLimit as sluiceFastify } from "sluice/fastify";
import { rateLimit as sluiceHono } from "sluice/hono";
import { rateLimit as sluiceNode } from "sluice/node";

/** A server that answers "hello", with a limit of so many calls in an hour for a client, or without one. */
export type MakeServer = (limit: number) => Server | Promise<Server>;

const HOUR_MS = 3_600_000;
const quotaOf = (limit: number) => `${limit}/h burst ${limit}`;

/** The three fields that @fastify/rate-limit and express-rate-limit send: `X-RateLimit-Limit`, `-Remaining` and `-Reset`. */
const legacy = { headers: false, legacyHeaders: true } as const;
/** The four fields that hono-rate-limiter sends. */
const draft6 = { headers: "draft-6", legacyHeaders: false } as const;
/** The two fields of the current draft: what new servers should send. */
const draft11 = { headers: "draft-11", legacyHeaders: false } as const;

const hello = "hello";

async function fastifyServer(limit: (app: ReturnType<typeof Fastify>) => unknown): Promise<Server> {
  const app = Fastify();
  await limit(app);
  app.get("/", (_request, reply) => reply.send(hello));
  await app.ready();
  return app.server;
}

function honoServer(limit: (app: Hono<any>) => unknown): Server {
  const app = new Hono();
  limit(app);
  app.get("/", (context) => context.text(hello));
  return createAdaptorServer({ fetch: app.fetch }) as Server;
}

function expressServer(limit: (app: ReturnType<typeof express>) => unknown): Server {
  const app = express();
  limit(app);
  app.get("/", (_request, response) => {
    response.send(hello);
  });
  return createServer(app);
}

/** For each host: nobody limits, the neighbour limits, Sluice limits with the same header fields. */
export const hosts = {
  "node:http": {
    bare: () => createServer((_request, response) => response.end(hello)),
    sluice: (limit) =>
      createServer(sluiceNode((_request, response) => response.end(hello), { quota: quotaOf(limit), ...draft11 })),
  },
  fastify: {
    bare: () => fastifyServer(() => {}),
    peer: (limit) => fastifyServer((app) => app.register(fastifyRateLimit, { max: limit, timeWindow: HOUR_MS })),
    sluice: (limit) => fastifyServer((app) => app.register(sluiceFastify as any, { quota: quotaOf(limit), ...legacy })),
  },
  hono: {
    bare: () => honoServer(() => {}),
    peer: (limit) =>
      honoServer((app) =>
        app.use(
          honoRateLimiter({
            windowMs: HOUR_MS,
            limit,
            keyGenerator: (context: any) => context.env.incoming.socket.remoteAddress,
          }),
        ),
      ),
    sluice: (limit) =>
      honoServer((app) =>
        app.use(
          sluiceHono({
            quota: quotaOf(limit),
            ...draft6,
            // The neighbour's answer, so that the work is compared and not the length of the text.
            onRefused: (_refusal, context: any) => context.text("Too many requests, please try again later.", 429),
          }) as any,
        ),
      ),
  },
  express: {
    bare: () => expressServer(() => {}),
    peer: (limit) => expressServer((app) => app.use(expressRateLimit({ windowMs: HOUR_MS, limit }))),
    sluice: (limit) => expressServer((app) => app.use(sluiceExpress({ quota: quotaOf(limit), ...legacy }) as any)),
  },
} satisfies Record<string, { bare: MakeServer; peer?: MakeServer; sluice: MakeServer }>;

export type HostName = keyof typeof hosts;
export type Limiting = "bare" | "peer" | "sluice";
