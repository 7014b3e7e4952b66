import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import express from "express";
import express4 from "express4";
import fastify from "fastify";
import { Hono } from "hono";
import { rateLimit as limitExpress } from "sluice/express";
import { rateLimit as limitFastify, rateLimitHook } from "sluice/fastify";
import { rateLimit as limitHono } from "sluice/hono";
import { rateLimit as limitNode } from "sluice/node";
import { rateLimit as limitWeb } from "sluice/web";
import type { GuardQuotas } from "../../../src/inbound/http/guard.ts";
import type { HonoContext } from "../../../src/inbound/http/types.ts";

/** What the scenario sets, in a form that fits all hosts: functions get a request's headers. */
export type Scenario = GuardQuotas & {
  readonly trustProxy?: false | number | string[];
  readonly forwardedHeader?: "x-forwarded-for" | "forwarded";
  readonly headers?: "draft-11" | "draft-7" | "draft-6" | false;
  readonly legacyHeaders?: boolean;
  readonly key?: (header: HeaderOf, address: () => string) => string | undefined | Promise<string | undefined>;
  readonly cost?: number | ((header: HeaderOf) => number | Promise<number>);
  readonly skip?: (header: HeaderOf) => boolean | Promise<boolean>;
  readonly address?: (header: HeaderOf) => string | undefined;
  readonly custom?: boolean;
  readonly onDecision?: (event: { key: string; cost: number }) => void;
};

type HeaderOf = (name: string) => string | undefined;

/** A host with the limit in front of a handler that answers `ok`. */
export interface Host {
  readonly name: string;
  /** A host without an error handler of its own that answers with 500. */
  start(scenario: Scenario): Promise<Running>;
}

export interface Running {
  readonly url: string;
  /** Errors that reached the host. */
  readonly errors: unknown[];
  close(): Promise<void>;
}

const ofNode = (request: { headers: IncomingMessage["headers"] }): HeaderOf => {
  return (name) => request.headers[name] as string | undefined;
};

/** The scenario as options of a host, whose requests give their headers by `headerOf`. */
function optionsFor<R>({ key, cost, skip, address, custom: _, ...rest }: Scenario, headerOf: (request: R) => HeaderOf) {
  return {
    ...rest,
    ...(key && { key: (request: R, byAddress: () => string) => key(headerOf(request), byAddress) }),
    ...(cost !== undefined && { cost: typeof cost === "number" ? cost : (request: R) => cost(headerOf(request)) }),
    ...(skip && { skip: (request: R) => skip(headerOf(request)) }),
    ...(address && { address: (request: R) => address(headerOf(request)) }),
  };
}

async function listening(server: Server, errors: unknown[]): Promise<Running> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    errors,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const CUSTOM = "come back later";

function startExpress(make: typeof express): Host["start"] {
  return (scenario) => {
    const errors: unknown[] = [];
    const app = make();
    app.use(
      limitExpress({
        ...optionsFor(scenario, ofNode),
        ...(scenario.custom && { onRefused: (_refusal, _request, response) => response.type("text").send(CUSTOM) }),
      }),
    );
    app.use((_request, response) => void response.send("ok"));
    app.use(((error, _request, response, _next) => {
      errors.push(error);
      response.status(500).end();
    }) satisfies express.ErrorRequestHandler);
    return listening(createServer(app), errors);
  };
}

async function startFastify(scenario: Scenario, isPerRoute: boolean): Promise<Running> {
  const errors: unknown[] = [];
  const app = fastify();
  const options = {
    ...optionsFor(scenario, ofNode),
    ...(scenario.custom && { onRefused: () => CUSTOM }),
  };
  app.setErrorHandler((error, _request, reply) => {
    errors.push(error);
    reply.code(500).send();
  });
  if (!isPerRoute) await app.register(limitFastify, options);
  app.get("/", isPerRoute ? { onRequest: rateLimitHook(options) } : {}, () => "ok");
  await app.listen({ port: 0, host: "127.0.0.1" });
  const { port } = app.server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, errors, close: () => app.close() };
}

function startHono(scenario: Scenario): Promise<Running> {
  const errors: unknown[] = [];
  const app = new Hono();
  app.use(
    limitHono({
      ...optionsFor<HonoContext>(scenario, (context) => (name) => context.req.header(name)),
      ...(scenario.custom && { onRefused: ({ problem }) => new Response(CUSTOM, { status: problem.status }) }),
    }),
  );
  app.get("/", (context) => context.text("ok"));
  app.onError((error, context) => {
    errors.push(error);
    return context.body(null, 500);
  });
  return listening(createAdaptorServer({ fetch: app.fetch }) as Server, errors);
}

function startNode(scenario: Scenario, isCheck: boolean): Promise<Running> {
  const errors: unknown[] = [];
  const options = {
    ...optionsFor<IncomingMessage>(scenario, ofNode),
    ...(scenario.custom && {
      onRefused: (_refusal: unknown, _request: unknown, response: ServerResponse) => response.end(CUSTOM),
    }),
    onError: (error: unknown, _request: unknown, response: ServerResponse) => {
      errors.push(error);
      response.writeHead(500).end();
    },
  };
  const listener = (_request: IncomingMessage, response: ServerResponse) => void response.end("ok");
  const check = limitNode<IncomingMessage, ServerResponse>(options);
  const server = isCheck
    ? createServer(async (request, response) => {
        if (await check(request, response)) listener(request, response);
      })
    : createServer(limitNode(listener, options));
  return listening(server, errors);
}

/** Handlers of web requests, on a server that turns Node's requests into such. */
function startWeb(scenario: Scenario): Promise<Running> {
  const errors: unknown[] = [];
  const handler = limitWeb((_request, _peer: string | undefined) => new Response("ok"), {
    address: (_request: Request, peer: string | undefined) => peer,
    ...optionsFor<Request>(scenario, (request) => (name) => request.headers.get(name) ?? undefined),
    ...(scenario.custom && { onRefused: ({ problem }) => new Response(CUSTOM, { status: problem.status }) }),
  });
  const server = createServer(async (request, response) => {
    const headers = new Headers();
    for (let i = 0; i < request.rawHeaders.length; i += 2)
      headers.append(request.rawHeaders[i]!, request.rawHeaders[i + 1]!);
    try {
      const answer = await handler(
        new Request(`http://localhost${request.url}`, { method: request.method!, headers }),
        request.socket.remoteAddress,
      );
      response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(await answer.text());
    } catch (error) {
      errors.push(error);
      response.writeHead(500).end();
    }
  });
  return listening(server, errors);
}

export const hosts: readonly Host[] = [
  { name: "Express 4", start: startExpress(express4) },
  { name: "Express 5", start: startExpress(express) },
  { name: "Fastify 5, plugin", start: (scenario) => startFastify(scenario, false) },
  { name: "Fastify 5, route", start: (scenario) => startFastify(scenario, true) },
  { name: "Hono 4", start: startHono },
  { name: "node:http, listener", start: (scenario) => startNode(scenario, false) },
  { name: "node:http, check", start: (scenario) => startNode(scenario, true) },
  { name: "web fetch", start: startWeb },
];
