import { parseRate } from "sluice";
import { z } from "zod";
import { duration } from "./duration-schema.ts";
import { identity } from "./identity-schema.ts";
import { upstreams } from "./upstreams-schema.ts";

/** What is written in a policy file. Descriptions become those of the JSON Schema, and so of an editor's completion. */

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

const wait = z
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

const pattern = z
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
const mode = z
  .enum(["enforce", "shadow"])
  .meta({ description: "shadow counts and logs what it would refuse, and refuses nothing. Default: enforce." });

const limit = z
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

const onStoreFailure = z
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

const policy = z
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

const limits = (description: string) => z.record(z.string().min(1), limit).optional().meta({ description });

const answer = z
  .strictObject({
    form: z.enum(["result", "error"]).optional().meta({
      description:
        "A refused tool call is a result with isError that the model reads, or a JSON-RPC error. Default: result.",
    }),
    errorCode: z.int().optional().meta({ description: "Code of JSON-RPC errors. Default: 429." }),
    httpStatus: z.literal([200, 429]).optional().meta({
      description: "MCP clients show a refusal to the application only with 200. Default: 200.",
    }),
    text: z.string().min(1).optional().meta({
      description: "Added to the text of every refusal: whom to ask for more, for example.",
    }),
  })
  .meta({ description: "What a refusal looks like." });

const hostPort = z
  .string()
  .regex(/^((\[[0-9a-fA-F:.]+\]|[\w.-]+):)?\d{1,5}$/, {
    error: ({ input }) => `${JSON.stringify(input)} is no address: it is PORT or HOST:PORT, such as 0.0.0.0:8080.`,
  })
  .meta({ examples: ["127.0.0.1:8080", "0.0.0.0:8080"] });

const times = z.int().min(1);

const loops = z
  .union([
    z.boolean(),
    z.strictObject({
      warnAfter: times
        .optional()
        .meta({ description: "Equal answers after which the model is told once. Default: 3." }),
      slowAfter: times.optional().meta({ description: "Equal answers after which calls wait first. Default: 5." }),
      stopAfter: times.optional().meta({ description: "Equal answers after which calls are refused. Default: 8." }),
      slow: duration(0, 10_000, "How long the first of them waits; then twice as long. Default: 1s.").optional(),
      stop: duration(0, 86_400_000, "How long calls are refused. Default: 1min.").optional(),
      forget: duration(
        1_000,
        86_400_000,
        "A call that was not made for so long begins anew. Default: 5min.",
      ).optional(),
      allow: pattern.optional().meta({ description: "Tools that may repeat themselves." }),
    }),
  ])
  .meta({
    description:
      "Notice when a client makes the same call again and again and gets the same answer: warn, then slow down, then stop.",
  });

const tier = z
  .strictObject({
    claim: z.string().min(1).optional().meta({ description: "The claim of a verified token that names the tier." }),
    clients: z
      .record(z.string().min(1), z.string().min(1))
      .optional()
      .meta({ description: "The tier of clients, by their key, as logs and `sluice explain` show it." }),
  })
  .meta({ description: "Which of the tiers of policies a client is in. An API key has its own." });

export const configSchema = z
  .strictObject({
    $schema: z.string().optional(),
    version: z.literal(1).optional().meta({ description: "Of this file's format." }),
    store: z
      .string()
      .regex(/^(memory|sqlite:.+|rediss?:\/\/.+)$/, {
        error: ({ input }) =>
          `${JSON.stringify(input)} is no store: it is memory, sqlite:PATH, redis://HOST:PORT or rediss://HOST:PORT.`,
      })
      .optional()
      .meta({
        description:
          "Where the state lives: memory, sqlite:PATH (processes of one machine), redis://… (many machines). Default: memory.",
        examples: ["memory", "sqlite:./sluice.db", "redis://localhost:6379"],
      }),
    listen: hostPort
      .optional()
      .meta({ description: "Where `sluice serve` listens for clients. Default: 127.0.0.1:8080." }),
    admin: hostPort.optional().meta({ description: "Where `sluice serve` listens for operators. Default: nowhere." }),
    upstreams: upstreams.optional(),
    hosts: z
      .array(z.string().regex(/^[\w.:[\]-]+$/, { error: "a host is a name without a port, such as mcp.example.com." }))
      .min(1)
      .optional()
      .meta({
        description:
          "Names under which clients reach the gateway (Host). Default: any; on loopback in front of a server elsewhere, localhost.",
      }),
    onStoreFailure: onStoreFailure.optional(),
    mode: mode.optional(),
    wait: wait.optional(),
    maxMessageBytes: z
      .int()
      .min(1_000)
      .optional()
      .meta({ description: "Larger messages are refused. Default: 16 MiB over HTTP, 64 MiB over stdio." }),
    loops: loops.optional(),
    answer: answer.optional(),
    identity: identity.optional(),
    tier: tier.optional(),
    perClient: limit
      .optional()
      .meta({ description: "All requests of a client, but for initialize, lists and subscriptions." }),
    global: limit.optional().meta({ description: "The same requests, of all clients together." }),
    methods: limits("Requests of one method, per client."),
    tools: limits('Calls of one tool, per client. "*" is the limit of all other tools together.'),
    policies: z.array(policy).optional().meta({ description: "What the limits above cannot say." }),
  })
  .meta({ title: "Policy file of Sluice", description: "Limits in front of an MCP server." });

export type Config = z.output<typeof configSchema>;
export type LimitConfig = z.output<typeof limit>;
export type PolicyConfig = z.output<typeof policy>;

/** For editors. */
export const jsonSchema = (): object => z.toJSONSchema(configSchema, { io: "input", unrepresentable: "any" });
