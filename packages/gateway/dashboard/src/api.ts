/** What the admin API said when it did not do what was asked. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** The admin API that this page belongs to. */
export interface Api {
  get<T>(path: string, signal?: AbortSignal): Promise<T>;
  send<T>(method: "POST" | "DELETE", path: string, body: object): Promise<T>;
  /** A stream of events. @param after the last one that is here */
  stream(after: number | undefined, signal: AbortSignal): Promise<ReadableStream<Uint8Array>>;
}

const BASE = "api/v1/";

/**
 * The token goes into a header of each request: never into a URL, which is logged and remembered, and not into a cookie, which a browser sends
 * to every port of this machine.
 */
export function apiWith(token: string): Api {
  async function ask(path: string, init: RequestInit): Promise<Response> {
    const headers = { ...init.headers, Authorization: `Bearer ${token}` };
    const options: RequestInit = { ...init, headers, cache: "no-store", credentials: "omit", redirect: "error" };
    const response = await fetch(BASE + path, options);
    if (response.ok) return response;
    const said = (await response.json().catch(() => ({}))) as { error?: string };
    throw new ApiError(response.status, said.error ?? `The gateway answered ${response.status}.`);
  }

  return {
    get: async (path, signal) => (await ask(path, signal === undefined ? {} : { signal })).json(),
    send: async (method, path, body) => (await ask(path, { method, body: JSON.stringify(body) })).json(),
    async stream(after, signal) {
      const headers = after === undefined ? {} : { "Last-Event-ID": String(after) };
      const { body } = await ask("events", { headers, signal });
      return body!;
    },
  };
}

/** Kept for this tab and this address, and forgotten with the tab. */
const KEY = "sluice-admin-token";

export const keptToken = {
  read: (): string | null => sessionStorage.getItem(KEY),
  keep: (token: string): void => sessionStorage.setItem(KEY, token),
  forget: (): void => sessionStorage.removeItem(KEY),
};
