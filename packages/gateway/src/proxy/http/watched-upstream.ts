import type { AnswerHandler, Forwarded, Upstream } from "./upstream.ts";

/** What a server behind has had to do since the start. */
export interface UpstreamLoad {
  /** Requests without a whole answer yet, open streams too. */
  readonly running: number;
  readonly answered: number;
  /** Requests that it did not answer, or not to the end. */
  readonly failed: number;
  /** How long it takes until an answer begins, lately, in milliseconds. @default there was none yet */
  readonly answerMs?: number;
}

export interface WatchedUpstream extends Upstream {
  readonly load: UpstreamLoad;
}

/** How much the last answer counts. */
const WEIGHT = 0.1;

/** The same server, and one sees what it has to do. */
export function watched(upstream: Upstream): WatchedUpstream {
  let [running, answered, failed] = [0, 0, 0];
  let answerMs: number | undefined;
  return {
    ...upstream,
    forward(request, options, answer) {
      const since = performance.now();
      let isOver = false;
      running++;
      const over = () => {
        if (!isOver) running--;
        isOver = true;
      };
      const watching: AnswerHandler = {
        head(...head) {
          const ms = performance.now() - since;
          answerMs = answerMs === undefined ? ms : answerMs + WEIGHT * (ms - answerMs);
          answer.head(...head);
        },
        data: (chunk) => answer.data(chunk),
        end() {
          answered++;
          over();
          answer.end();
        },
        failed(error) {
          failed++;
          over();
          answer.failed(error);
        },
      };
      const forwarded = upstream.forward(request, options, watching);
      return {
        resume: () => forwarded.resume(),
        abort() {
          over();
          forwarded.abort();
        },
      } satisfies Forwarded;
    },
    get load() {
      return { running, answered, failed, ...(answerMs !== undefined && { answerMs }) };
    },
  };
}
