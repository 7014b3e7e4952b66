import { z } from "zod";
import { duration } from "./duration-schema.ts";
import { identity } from "./identity-schema.ts";
import { limit, limits, mode, onStoreFailure, pattern, policy, wait } from "./limits-schema.ts";
import { record } from "./record-schema.ts";
import { upstreams } from "./upstreams-schema.ts";

/** What is written in a policy file. Descriptions become those of the JSON Schema, and so of an editor's completion. */

const tickets = z
  .union([
    z.boolean(),
    z.strictObject({
      secret: z.string().min(16).optional().meta({
        description: "Signs tickets: the same for all gateways of the same clients. Default: a random one.",
      }),
      hold: duration(
        100,
        30_000,
        "How long a call is held before the client is asked to come again. Default: 2s.",
      ).optional(),
      rounds: z.int().min(1).optional().meta({
        description: "After so many a call is refused; official clients give up after 10. Default: 8.",
      }),
    }),
  ])
  .meta({
    description:
      "Let calls of clients of 2026-07-28 wait longer than one request can: held, and asked to come again (input_required).",
  });

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
    tickets: tickets.optional(),
    maxMessageBytes: z
      .int()
      .min(1_000)
      .optional()
      .meta({ description: "Larger messages are refused. Default: 16 MiB over HTTP, 64 MiB over stdio." }),
    loops: loops.optional(),
    answer: answer.optional(),
    record: record.optional(),
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
