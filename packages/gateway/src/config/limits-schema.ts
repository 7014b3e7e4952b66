import { parseRate } from "sluice";
import { z } from "zod";
import { duration } from "./duration-schema.ts";

/** Limits and policies, as they are written in a policy file. */

const LONGEST_WAIT_MS = 30_000;

const rate = z
  .string()
  .superRefine((text, context) => {
    try {
      parseRate(text);
    } catch (error) {
      context.addIssue({ code: "custom", message: (error as Error).message });
    }
  })
  .meta({
    description:
      'How much in which time: "60/min", "5/10s", "20/s burst 40" (token bucket), "100000/day UTC" (calendar).',
    examples: ["60/min", "10/s", "20/s burst 40", "1000/day UTC", "100000/month Europe/Berlin"],
  });

const rates = z
  .union([rate, z.array(rate).min(1)])
  .meta({ description: "One rate, or several that must all allow a call." });

export const wait = z
  .union([z.boolean(), duration(0, LONGEST_WAIT_MS, "How long a call may stand in line before it is refused.")])
  .transform((value) => (typeof value === "boolean" ? value : { maxWaitMs: value }))
  .meta({
    description:
      "How long a call that is over a limit stands in line before it is refused: a duration up to 30s, true for 5s, false to refuse at once.",
  });

const units = z.int().min(0);

const cost = z
  .union([
    units,
    z.strictObject({
      argument: z.string().min(1).meta({ description: 'Path in the arguments: "limit", "page.size".' }),
      per: z.number().positive().optional().meta({ description: "So much of it is one unit." }),
      min: units.optional(),
      max: units.optional(),
      otherwise: units.optional().meta({ description: "Cost of a call whose argument is missing or no number." }),
    }),
    z.strictObject({
      tools: z.record(z.string(), units).meta({ description: 'Units for each tool, and "*" for all others.' }),
    }),
  ])
  .meta({ description: "Units that a call takes: a number, by an argument, or { tools: { name: units } }." });

const settle = z
  .strictObject({
    result: z
      .string()
      .min(1)
      .meta({ description: 'Path in the result: "structuredContent.rows", "_meta.usage.tokens".' }),
    per: z.number().positive().optional().meta({ description: "So much of it is one unit." }),
    min: units.optional(),
    max: units.optional(),
  })
  .meta({ description: "What a call really cost, by its result: corrects what cost charged when it began." });

const adapt = z
  .union([
    z.boolean(),
    z.strictObject({
      slow: duration(
        1,
        600_000,
        "An answer that takes longer is slow. Default: none is, only failures count.",
      ).optional(),
      tolerate: z.number().min(0).max(0.99).optional().meta({
        description: "This part of the answers may be slow or failures. Default: 0.1.",
      }),
      least: z.number().min(0.01).max(1).optional().meta({
        description: "The limit is never lowered below this part of it. Default: 0.1.",
      }),
      every: duration(100, 3_600_000, "How often it is looked at. Default: 10s.").optional(),
    }),
  ])
  .meta({
    description: "Lower the limit while the server behind is slow or fails, and raise it again step by step (AIMD).",
  });

export const pattern = z
  .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
  .meta({ description: 'A name, in which * stands for any characters, or a list of such: "files_*".' });

const names = {
  path: pattern.optional().meta({ description: "Where the server is found at the gateway, of several upstreams." }),
  method: pattern.optional(),
  tool: pattern.optional(),
  resource: pattern.optional(),
  prompt: pattern.optional(),
};

const match = z
  .strictObject({ ...names, not: z.strictObject(names).optional().meta({ description: "Calls that are left out." }) })
  .meta({
    description:
      "Which calls: all conditions must hold. Default: all requests but initialize, lists and subscriptions.",
  });

const PART = /^(client|address|everyone|tool|method|session|header:[\w-]+|argument:[^:]+)$/;

const keyPart = z
  .string()
  .regex(PART, {
    error: ({ input }) =>
      `${JSON.stringify(input)} is no part of a key: it is client, address, everyone, tool, method, session, header:NAME or argument:PATH.`,
  })
  .meta({ examples: ["client", "address", "everyone", "tool", "method", "session", "header:x-team", "argument:repo"] });

const key = z
  .union([keyPart, z.array(keyPart).min(1)])
  .superRefine((given, context) => {
    const parts = [given].flat();
    const invented = parts.find((part) => part === "session" || part.startsWith("header:"));
    if (invented === undefined || parts.includes("client") || parts.includes("address")) return;
    context.addIssue({
      code: "custom",
      message: `a client writes ${invented} as it likes, and would get a new limit with each value: write [client, ${invented}].`,
    });
  })
  .meta({ description: "Whose limit it is: one part, or several that together are the key. Default: client." });

const concurrency = z.int().min(1).meta({ description: "At most so many calls at once." });
const lease = duration(1_000, 86_400_000, "A place of a call that never ends is free after this long. Default: 60s.");
export const mode = z
  .enum(["enforce", "shadow"])
  .meta({ description: "shadow counts and logs what it would refuse, and refuses nothing. Default: enforce." });

export const limit = z
  .union([
    rate,
    z.array(rate).min(1),
    z.strictObject({
      quota: rates.optional(),
      concurrency: concurrency.optional(),
      lease: lease.optional(),
      cost: cost.optional(),
      settle: settle.optional(),
      per: z.enum(["client", "everyone"]).optional(),
    }),
  ])
  .meta({ description: 'A rate such as "60/min", a list of rates, or { quota, concurrency, cost, settle, per }.' });

export const onStoreFailure = z
  .string()
  .regex(/^(closed|open|share\/[1-9]\d{0,3})$/, {
    error: ({ input }) =>
      `${JSON.stringify(input)} is no answer to a failure of the store: it is closed (refuse), open (allow) or share/N (each of N processes allows its part).`,
  })
  .meta({
    description: "What becomes of calls while the store cannot be asked: closed, open, or share/N for N processes.",
    examples: ["closed", "open", "share/4"],
  });

const timeOfDay = z.string().regex(/^([01]\d|2[0-4]):[0-5]\d$/, {
  error: ({ input }) => `${JSON.stringify(input)} is no time of day: it is such as "22:00".`,
});

const schedule = z
  .array(
    z.strictObject({
      days: z
        .array(z.enum(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]))
        .min(1)
        .optional()
        .meta({ description: "Days on which the time begins. Default: every day." }),
      from: timeOfDay.optional().meta({ description: 'Default: "00:00".' }),
      to: timeOfDay.optional().meta({ description: 'Of the next day if it is not later than from. Default: "24:00".' }),
      timeZone: z.string().min(1).meta({ description: "In which days and times are meant: Europe/Berlin." }),
      quota: rates,
    }),
  )
  .min(1)
  .meta({ description: "Other rates at certain times, instead of quota. The first one that it is counts." });

export const policy = z
  .strictObject({
    name: z
      .string()
      .regex(/^[a-z][a-z0-9_.-]*$/, {
        error: ({ input }) =>
          `${JSON.stringify(input)} is no name: it begins with a lower-case letter, followed by lower-case letters, digits, "_", "." or "-".`,
      })
      .meta({ description: "Stands in answers, logs and metrics." }),
    match: match.optional(),
    key: key.optional(),
    quota: rates.optional(),
    tiers: z
      .record(z.string(), rates)
      .refine((tiers) => Object.hasOwn(tiers, "*"), {
        error: 'tiers needs rates for "*", which is everybody who is in none of the others.',
      })
      .optional()
      .meta({ description: 'Rates for each tier, and for "*": everybody else.' }),
    schedule: schedule.optional(),
    concurrency: concurrency.optional(),
    lease: lease.optional(),
    cost: cost.optional(),
    settle: settle.optional(),
    adapt: adapt.optional(),
    mode: mode.optional(),
    wait: wait.optional(),
    onStoreFailure: onStoreFailure.optional(),
    advice: z
      .string()
      .min(1)
      .optional()
      .meta({ description: "Ends the text of a refusal by this policy: whom to ask for more, what to do instead." }),
    subject: z
      .string()
      .min(1)
      .optional()
      .meta({ description: "What is limited, in words for the one who is refused." }),
  })
  .refine((given) => given.quota !== undefined || given.tiers !== undefined || given.concurrency !== undefined, {
    error: "this policy limits nothing: give it a quota, tiers or concurrency.",
  });

export const limits = (description: string) => z.record(z.string().min(1), limit).optional().meta({ description });
