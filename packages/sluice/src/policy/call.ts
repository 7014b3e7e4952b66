/** What a verified token says, as an SDK's authentication passes it on. */
export interface AuthInfoLike {
  readonly clientId?: string | undefined;
  readonly extra?: Readonly<Record<string, unknown>> | undefined;
}

/** A request that a client makes of a server, and what is known about who makes it. */
export interface McpCall {
  /** Such as `"tools/call"`. */
  readonly method: string;
  /** Name of the tool, of a `tools/call`. */
  readonly tool?: string;
  readonly params: Readonly<Record<string, unknown>>;
  /** What a verified token says. Never set from anything that the client can make up. */
  readonly authInfo?: AuthInfoLike | undefined;
  /** Headers of the HTTP request. The client chooses them: verify before you key on one. */
  readonly headers?: Headers | undefined;
  /** Where the server is found, where there are several: its path at a gateway. */
  readonly path?: string | undefined;
  /** The client's address as a key, where it is known: see `withClientAddress`. */
  readonly address?: string | undefined;
  /** Session of a 2025 client. A client can open as many as it likes: never a key by itself. */
  readonly sessionId?: string | undefined;
  /** Names the connection where one connection is one client: stdio, and transports in memory. */
  readonly connection?: string | undefined;
}
