import { Redis } from "ioredis";
import type { Caller, Rate } from "./contenders.ts";
import { sluice } from "./sluice.ts";

/** The limit that all processes share. */
export const SHARED_RATE: Rate = { limit: 40, periodMs: 1000 };

const clientOf = (url: string) => new Redis(url, { autoResendUnfulfilledCommands: false });

/** Limits that processes share over Redis. */
export const sharing = {
  async sluice(redisUrl) {
    const { redisStore } = await import("sluice/redis");
    return sluice({ ...SHARED_RATE, store: redisStore({ client: clientOf(redisUrl), timeoutMs: 2_000 }) });
  },
  /** With its default heartbeat of five seconds it refills every five seconds only. */
  async bottleneck(redisUrl) {
    const { default: Bottleneck } = await import("bottleneck");
    const limiter = new Bottleneck({
      id: "api",
      datastore: "ioredis",
      Redis,
      clientOptions: { port: Number(new URL(redisUrl).port) },
      heartbeatInterval: 250,
      reservoir: SHARED_RATE.limit,
      reservoirRefreshAmount: SHARED_RATE.limit,
      reservoirRefreshInterval: SHARED_RATE.periodMs,
    });
    await limiter.ready();
    return { run: (call) => limiter.schedule(call) };
  },
} satisfies Record<string, (redisUrl: string) => Promise<Caller>>;

export type SharingName = keyof typeof sharing;
