import type { Clock } from "../../limiter/clock.ts";
import { guarded } from "../../limiter/reply.ts";
import type { QueueReply, QueueRequest, SharedQueue } from "../../limiter/shared-queue.ts";
import { alarm } from "./alarm.ts";
import { heartbeat } from "./heartbeat.ts";
import type { Outbox } from "./outbox.ts";

export interface ConversationOptions {
  readonly clock: Clock;
  readonly queue: SharedQueue;
  readonly outbox: Outbox;
  /** Who waits and who runs: said now and then, so that nobody is forgotten. */
  present(): Pick<QueueRequest, "waiting" | "running">;
  replied(reply: QueueReply, sentAt: number): void;
  broken(error: unknown): void;
}

/** Talks with a shared queue: one request at a time, with everything that has gathered until then. */
export interface Conversation {
  /** Ask, with everything that is to be said by the end of this turn. */
  flush(): void;
  /** Ask a little later, with everything that is to be said until then. */
  gather(): void;
  /** Ask, and say who is there. */
  beat(): void;
  /** Do so now and then, while it is needed. */
  beatWhile(isNeeded: boolean): void;
  /** After a failure, ask again in time. Only if somebody waits for it, that keeps the process alive. */
  again(isAwaited: boolean): void;
  /** Say what is left to say, and no more. Resolves when that has been heard, or cannot be. */
  close(): Promise<void>;
}

/** A queue that failed is asked again after so long, and then after twice as long each time. In microseconds. */
const ASK_AGAIN = 100_000;
const ASK_AGAIN_AT_MOST = 2_000_000;
/** Who waits says so this often: well within the life of an owner. In milliseconds. */
const PRESENCE_MS = 2_000;
/** What is not urgent is said after so long at the latest, in microseconds. */
export const GATHERING = 20_000;

export function conversation({ clock, queue, outbox, present, replied, broken }: ConversationOptions): Conversation {
  let isAsking = false;
  let isGathering = false;
  let isWanted = false;
  let isGatheringLonger = false;
  let isBeating = false;
  let goodbye: (() => void) | undefined;
  let pause = ASK_AGAIN;
  let againAt = -Infinity;
  let cancelQuiet = () => {};
  const awaited = alarm(clock, flush);
  const gathered = alarm(clock, () => {
    isGatheringLonger = false;
    if (!outbox.isEmpty) flush();
  });
  // Not only when there is nothing else to say, or a lost grant would not be found.
  const presence = heartbeat(clock, PRESENCE_MS, beat);

  function beat(): void {
    isBeating = true;
    flush();
  }

  function flush(): void {
    isWanted = true;
    if (isGathering || isAsking || goodbye !== undefined) return;
    isGathering = true;
    queueMicrotask(() => {
      isGathering = false;
      if (!isAsking && goodbye === undefined) send();
    });
  }

  function endGathering(): void {
    isGatheringLonger = false;
    gathered.cancel();
  }

  function send(): void {
    isAsking = true;
    isWanted = false;
    endGathering();
    const sentAt = clock.elapsed();
    const { request, unheard } = outbox.take(sentAt);
    const who = presence.comesAlong() || isBeating ? present() : {};
    isBeating = false;
    guarded(
      async () => {
        const reply = await queue.exchange({ ...request, ...who });
        isAsking = false;
        pause = ASK_AGAIN;
        awaited.cancel();
        cancelQuiet();
        replied(reply, sentAt);
        if (goodbye !== undefined) part();
        else if (isWanted) flush();
      },
      (error) => {
        isAsking = false;
        endGathering();
        unheard();
        if (goodbye !== undefined) {
          part();
          return;
        }
        againAt = clock.elapsed() + pause;
        pause = Math.min(ASK_AGAIN_AT_MOST, pause * 2);
        broken(error);
      },
    );
  }

  function part(): void {
    const leave = (): void =>
      guarded(async () => {
        await queue.close();
        goodbye!();
      }, goodbye!);
    isAsking = true;
    guarded(async () => {
      const sentAt = clock.elapsed();
      do replied(await queue.exchange(outbox.take(sentAt).request), sentAt);
      while (!outbox.isEmpty);
      leave();
    }, leave);
  }

  return {
    flush,
    gather() {
      if (isGatheringLonger || isGathering || goodbye !== undefined) return;
      isGatheringLonger = true;
      gathered.set(clock.elapsed() + GATHERING);
    },
    beat,
    beatWhile: (isNeeded) => presence.need(isNeeded),
    again(isAwaited) {
      cancelQuiet();
      if (isAwaited) {
        awaited.set(againAt);
        return;
      }
      awaited.cancel();
      if (!outbox.isEmpty) cancelQuiet = clock.after(Math.max(0, againAt - clock.elapsed()) / 1000, flush, true);
    },
    close: () =>
      new Promise((resolve) => {
        goodbye = resolve;
        awaited.cancel();
        endGathering();
        cancelQuiet();
        // What is under way is heard first: it may bring grants, and stand in line for somebody who has left.
        if (!isAsking) part();
      }),
  };
}
