/** What the gate needs of messages, transports and servers: the same in both generations of the SDK, so neither is imported. */

export interface JsonRpcRequest {
  readonly jsonrpc: "2.0";
  readonly id: string | number;
  readonly method: string;
  readonly params?: Readonly<Record<string, any>>;
}

/** A message as a transport delivers it: whatever the other side sent. */
export type WireMessage = any;

/** What an SDK says beside a message: where it came from. */
export type MessageExtra = any;

/** What a tool of FastMCP is, and what it answers. */
export type FastMcpTool = any;

/** What a host passes beside a request. */
export type FetchContext = any;

/** Header fields in one of the forms of the SDKs: `Headers`, or an object of names and values. */
export type HeadersLike = any;

/** What is needed of a server of the TypeScript FastMCP. */
export interface FastMcpLike {
  addTool(tool: any): void;
  addTools(tools: any[]): void;
  start(options?: any): Promise<void>;
}

/** A callback of a transport, whatever it takes. */
export type TransportCallback = any;

export interface TransportLike {
  send(message: any, options?: any): Promise<void>;
  close(): Promise<void>;
  onmessage?: ((message: any, extra?: any) => void) | undefined;
  onclose?: (() => void) | undefined;
  onerror?: ((error: Error) => void) | undefined;
  sessionId?: string | undefined;
}

export interface ServerLike {
  connect(transport: any, ...rest: any[]): Promise<void>;
}

/** `handler.fetch` of `createMcpHandler`, or any handler of that shape. */
export type FetchLike = (request: Request, options?: any) => Promise<Response>;

/** What a tool's callback is given last: `ctx` in SDK v2, `extra` in v1. */
export type ToolContext = any;
export type ToolCallback = (...args: any[]) => any;
