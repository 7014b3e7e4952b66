import type { Attempt } from "../call.ts";
import type { ResponseHead } from "../feedback/statement.ts";
import type { Upstream } from "../upstream.ts";
import type { AnyUpstreams } from "../upstreams.ts";
import { HeldController } from "./held-controller.ts";
import { type Hosts, hostRoutes } from "./host-routes.ts";
import type { Dispatch, DispatchHandler, DispatchInterceptor, DispatchOptions } from "./types.ts";

/**
 * An interceptor for dispatchers of undici, from version 8 on, that limits requests by their host, for code that cannot be changed. Set as the
 * global dispatcher it limits the `fetch` of Node, too.
 *
 * A request that is refused fails as if the network had failed, with the `OutboundError` (with `fetch`: as the cause of
 * its TypeError). What responses say about limits and health is heeded. Nothing is tried again, since a body that has
 * been sent may be gone. Hosts that are not named pass untouched. A request has ended when its body has been read.
 *
 * Do not name a host here that the same code calls through `upstreams`, too: each of them would take units.
 *
 * @example
 * setGlobalDispatcher(new Agent().compose(limitHosts(upstreams, { "*.alchemy.com": "alchemy" })));
 *
 * @throws RangeError for what is no host; TypeError for an upstream that there is not
 */
export function limitHosts<U extends AnyUpstreams>(upstreams: U, hosts: Hosts<U>): DispatchInterceptor {
  const upstreamOf = hostRoutes(upstreams, hosts);
  // undici checks that this function has two parameters.
  return (dispatch) => (options, handler) => {
    const upstream = upstreamOf(options.origin);
    if (upstream === undefined) return dispatch(options, handler);
    assertHandler(handler);
    hold(upstream, dispatch, options, handler);
    return true;
  };
}

/** Makes a request when its turn comes. */
function hold(upstream: Upstream, dispatch: Dispatch, options: DispatchOptions, handler: DispatchHandler): void {
  const leaving = new AbortController();
  const controller = new HeldController((reason) => leaving.abort(reason));
  let isMade = false;
  const make = ({ signal }: Attempt) => {
    isMade = true;
    signal.addEventListener("abort", () => controller.abort(toError(signal.reason)), { once: true });
    return ended((wrapped) => dispatch(options, wrapped), handler, controller);
  };

  handler.onRequestStart?.(controller, {});
  upstream.run(make, { attempts: 1, signal: leaving.signal }).catch((error: unknown) => {
    // What comes of a request that was made the handler hears itself.
    if (!isMade) handler.onResponseError?.(controller, controller.reason ?? toError(error));
  });
}

/** Makes the request; tells the handler of it as if nothing stood between, and gives the head of the response when it has ended. */
function ended(
  dispatch: (handler: DispatchHandler) => void,
  handler: DispatchHandler,
  controller: HeldController,
): Promise<ResponseHead> {
  return new Promise((resolve, reject) => {
    let head: ResponseHead | undefined;
    const wrapped: DispatchHandler = {
      onRequestStart: (real) => controller.follow(real),
      onRequestUpgrade(_, status, headers, socket) {
        resolve({ status, headers });
        handler.onRequestUpgrade?.(controller, status, headers, socket);
      },
      onResponseStart(_, status, headers, message) {
        // There may be several: those of 1xx come before the one that counts.
        head = { status, headers };
        handler.onResponseStart?.(controller, status, headers, message);
      },
      onResponseData: (_, chunk) => handler.onResponseData?.(controller, chunk),
      onResponseEnd(_, trailers) {
        resolve(head!);
        handler.onResponseEnd?.(controller, trailers);
      },
      onResponseError(_, error) {
        // A response of an error says more than that its body was not read to the end.
        if (head !== undefined && head.status >= 400) resolve(head);
        else reject(error);
        handler.onResponseError?.(controller, error);
      },
      onResponseStarted: () => handler.onResponseStarted?.(),
      onBodySent: (chunk) => handler.onBodySent?.(chunk),
      onRequestSent: () => handler.onRequestSent?.(),
    };
    try {
      dispatch(wrapped);
    } catch (error) {
      reject(error as Error);
      handler.onResponseError?.(controller, toError(error));
    }
  });
}

/** @throws TypeError for handlers of undici before version 8 */
function assertHandler(handler: DispatchHandler): void {
  if (typeof handler.onRequestStart === "function" && typeof handler.onResponseError === "function") return;
  throw new TypeError(
    'limitHosts needs handlers as undici has them from version 8 on, with "onRequestStart" and "onResponseError", but this one has ' +
      `${"onConnect" in handler ? '"onConnect", as before' : "not both of them"}.`,
  );
}

const toError = (reason: unknown): Error => (reason instanceof Error ? reason : new Error(String(reason)));
