import type { Upstream } from "../upstream.ts";
import type { CallOptions } from "../upstream-options.ts";
import type { AnyUpstreams } from "../upstreams.ts";
import type { WaitProgress } from "./wait-progress.ts";

/** What calls of one request have in common. */
export interface RequestTerms {
  readonly signal: AbortSignal | undefined;
  readonly progress: WaitProgress | undefined;
  /** How long calls may wait that start to wait now, in milliseconds. */
  maxWaitMs(): number;
}

/** Upstreams as one request sees them: its calls leave with it, tell how they wait, and do not outwait its client. */
export function requested<U extends AnyUpstreams>(upstreams: U, terms: RequestTerms): U {
  const views = new Map<Upstream, Upstream>();
  return new Proxy(upstreams, {
    get(target, name) {
      const found: unknown = Reflect.get(target, name);
      if (!isUpstream(found)) return found;
      let view = views.get(found);
      if (view === undefined) {
        view = requestedUpstream(found, terms);
        views.set(found, view);
      }
      return view;
    },
  });
}

function isUpstream(found: unknown): found is Upstream {
  return typeof found === "object" && found !== null && "run" in found;
}

function requestedUpstream(upstream: Upstream, { signal, progress, maxWaitMs }: RequestTerms): Upstream {
  /** Makes a call with options that tell of its waiting until it has ended. */
  function call<T, O extends CallOptions>(options: O, make: (options: O) => Promise<T>): Promise<T> {
    let ended: (() => void) | undefined;
    const onQueued: CallOptions["onQueued"] = (standing) => {
      ended?.();
      ended = progress?.waits(upstream.name, standing);
      options.onQueued?.(standing);
    };
    const made = make({
      ...options,
      signal: either(signal, options.signal),
      maxWaitMs: options.maxWaitMs ?? Math.min(upstream.maxWaitMs, maxWaitMs()),
      onQueued,
    });
    return progress === undefined ? made : made.finally(() => ended?.());
  }

  return {
    ...upstream,
    run: (make, options = {}) => call(options, (all) => upstream.run(make, all)),
    fetch: (input, init, options = {}) => call(options, (all) => upstream.fetch(input, init, all)),
  };
}

function either(one: AbortSignal | undefined, other: AbortSignal | undefined): AbortSignal | undefined {
  return one !== undefined && other !== undefined ? AbortSignal.any([one, other]) : (one ?? other);
}
