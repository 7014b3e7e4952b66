/*
 * What the adapters need of their hosts, and no more: nothing of a host is imported, so types and
 * code work whichever version is installed, or none.
 */

/** A request of `node:http`, and of what stands on it. */
export interface NodeRequest {
  readonly headers: { readonly [name: string]: string | string[] | undefined };
  readonly socket: { readonly remoteAddress?: string | undefined };
}

/** A response of `node:http`, and of what stands on it. */
export interface NodeResponse {
  statusCode: number;
  readonly headersSent: boolean;
  setHeader(name: string, value: string): unknown;
  writeHead(status: number, headers: any): unknown;
  end(body?: string): unknown;
}

/** A request of Express 4 or 5, with whatever other middleware put on it. */
export interface ExpressRequest extends NodeRequest {
  readonly [more: string]: any;
}

export interface ExpressResponse extends NodeResponse {
  readonly [more: string]: any;
}

export type ExpressNext = (error?: any) => void;

/** A request of Fastify 5, with its decorations. */
export interface FastifyRequest {
  readonly raw: NodeRequest;
  readonly headers: NodeRequest["headers"];
  readonly routeOptions: { readonly config: any };
  readonly [more: string]: any;
}

export interface FastifyReply {
  code(status: number): any;
  header(name: string, value: string): any;
  send(payload?: any): any;
  readonly sent: boolean;
  readonly [more: string]: any;
}

/** Fastify's own type of a request, with what an application declares on it. */
export type AnyFastifyRequest = any;

export type FastifyHook = (request: AnyFastifyRequest, reply: FastifyReply, done: FastifyDone) => void;

export type FastifyDone = (error?: any) => void;

export interface FastifyInstance {
  addHook(name: any, hook: any): any;
}

/** The context of a request in Hono 4. */
export interface HonoContext {
  readonly req: { header(name: string): string | undefined; readonly [more: string]: any };
  readonly env: any;
  res: any;
  header(name: string, value: string): void;
  readonly [more: string]: any;
}

/** Anything that takes a request of `node:http` first: a listener, an Express app, the SDK's handlers. */
export type NodeListener = (request: any, ...rest: any[]) => unknown;

/** A handler of web requests, with whatever the platform hands over beside them. */
export type WebHandler = (request: Request, ...rest: any[]) => Response | PromiseLike<Response>;

/** What the platform hands over beside the request. */
export type RestOf<H extends WebHandler> = H extends (request: any, ...rest: infer R) => any ? R : never;
