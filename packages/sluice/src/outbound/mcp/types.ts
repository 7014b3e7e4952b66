/** What a tool's callback is given last: `ctx` in SDK v2, `extra` in v1, `context` in FastMCP. */
export type ToolContext = any;
export type ToolCallback = (...args: any[]) => any;

/** A context that has upstreams, too. */
export type WithUpstreams<C, U> = C & { readonly upstreams: U };
