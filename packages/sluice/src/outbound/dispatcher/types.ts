/** What is needed of undici, from version 8 on, without importing it. Methods, so that its own types fit. */

export interface DispatchOptions {
  readonly origin?: string | URL;
  readonly path: string;
  readonly method: string;
}

/** What undici hands to a handler, so that it can stop a request. */
export interface DispatchController {
  readonly aborted: boolean;
  readonly paused: boolean;
  readonly reason: Error | null;
  readonly rawHeaders?: unknown;
  readonly rawTrailers?: unknown;
  abort(reason: Error): void;
  pause(): void;
  resume(): void;
}

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** What undici tells of a request. */
export interface DispatchHandler {
  onRequestStart?(controller: DispatchController, context: unknown): void;
  onRequestUpgrade?(controller: DispatchController, status: number, headers: Headers, socket: unknown): void;
  onResponseStart?(controller: DispatchController, status: number, headers: Headers, message?: string): void;
  onResponseData?(controller: DispatchController, chunk: unknown): void;
  onResponseEnd?(controller: DispatchController, trailers: Headers): void;
  onResponseError?(controller: DispatchController, error: Error): void;
  onResponseStarted?(): void;
  onBodySent?(chunk: unknown): void;
  onRequestSent?(): void;
}

interface Dispatcher {
  dispatch(options: DispatchOptions, handler: DispatchHandler): boolean;
}

export type Dispatch = Dispatcher["dispatch"];

/** What `compose` of a dispatcher takes. */
export type DispatchInterceptor = (dispatch: Dispatch) => Dispatch;
