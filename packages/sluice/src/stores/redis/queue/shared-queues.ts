import { type Clock, systemClock } from "../../../limiter/clock.ts";
import type { QueueReply, QueueRequest, QueueSeat, QueueTerms, SharedQueue } from "../../../limiter/shared-queue.ts";
import { timedCalls } from "../../timeout.ts";
import type { Connection } from "../connection.ts";
import { RedisKeyError } from "../errors.ts";
import type { KeyNames } from "../key-names.ts";
import { lingerMs } from "../request.ts";
import { runs } from "../runs.ts";
import { Sign } from "../sign.ts";
import { type ReplyCells, readNews, replyOf } from "./queue-reply.ts";
import { requestText } from "./queue-request.ts";
import { queueScript } from "./queue-script.ts";
import { scriptTerms } from "./queue-terms.ts";
import type { Subscriber } from "./subscriber.ts";

/** The queues of one store. */
export interface SharedQueues {
  open(terms: QueueTerms, seat: QueueSeat): SharedQueue;
  /** Ask and hear no more. */
  close(): void;
}

export interface SharedQueuesOptions {
  readonly connection: Connection;
  readonly names: KeyNames;
  readonly timeoutMs: number;
  /** Instead of the time of Redis. */
  readonly clock?: Clock | undefined;
  readonly subscriber: Subscriber;
}

/** Queues whose state is in Redis. One call of a script for each request; what others should hear is published by it. */
export function sharedQueues({ connection, names, timeoutMs, clock, subscriber }: SharedQueuesOptions): SharedQueues {
  const run = runs(connection, timeoutMs);
  const call = timedCalls(clock ?? systemClock, { timeoutMs });
  let isStoreClosed = false;

  function open(terms: QueueTerms, { owner, inform }: QueueSeat): SharedQueue {
    const { keys, text, channel, ledgers } = scriptTerms(terms, names, lingerMs(clock));
    const marker = connection.isCluster ? [] : [names.marker(terms.pause)];
    let isClosed = false;
    const leave = subscriber.listen(channel + owner, (message) => {
      const news = isClosed ? undefined : readNews(message);
      if (news !== undefined) inform(news);
    });

    async function ask(request: QueueRequest, wall: number): Promise<QueueReply> {
      const all = request.pause === undefined ? keys : [...keys, ...marker];
      const said = requestText(clock?.wall() ?? 0, owner, request);
      const reply = JSON.parse(String(await run(queueScript, all, [ledgers(wall), text, said, channel])));
      const [sign, what] = reply as readonly unknown[];
      if (sign === Sign.needsWindows) return ask(request, what as number);
      if (sign === Sign.damaged) throw new RedisKeyError(what as string);
      return replyOf(reply as ReplyCells);
    }

    return {
      exchange: async (request) => {
        if (isClosed || isStoreClosed) throw new TypeError("This queue is closed: its owner stands in it no more.");
        return call(() => ask(request, (clock ?? systemClock).wall()));
      },
      close() {
        isClosed = true;
        leave();
      },
    };
  }

  return {
    open,
    close() {
      isStoreClosed = true;
      subscriber.close();
    },
  };
}
