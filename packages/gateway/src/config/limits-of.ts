import type {
  AdaptOptions,
  LimitLike,
  LoopOptions,
  McpRateLimitOptions,
  Policy,
  TicketOptions,
  TierOf,
} from "sluice/mcp";
import { refusalText } from "sluice/mcp";
import type { Config, LimitConfig, PolicyConfig } from "./schema.ts";

/** What a policy file says, as options of the library. Usage goes on when a reload gives a quota other numbers. */
export function limitsOf(config: Config): McpRateLimitOptions {
  const { perClient, global, methods, tools, policies, mode, wait, tickets, loops, answer = {}, tier = {} } = config;
  const { form, errorCode, text } = answer;
  return {
    name: "gateway",
    whenChanged: "carry",
    ...(perClient !== undefined && { perClient: limitOf(perClient) }),
    ...(global !== undefined && { global: limitOf(global) }),
    ...(methods !== undefined && { methods: mapped(methods) }),
    ...(tools !== undefined && { tools: mapped(tools) }),
    ...(policies !== undefined && { policies: policies.map(policyOf) }),
    ...(mode !== undefined && { mode }),
    ...(wait !== undefined && { wait }),
    ...(tickets !== undefined && { tickets: ticketsOf(tickets) }),
    ...(form !== undefined && { refusal: form }),
    ...(errorCode !== undefined && { errorCode }),
    ...(text !== undefined && { describe: (refusal) => `${refusalText(refusal)} ${text}` }),
    ...(loops !== undefined && { loops: loopsOf(loops) }),
    tier: tierOf(tier),
  };
}

function ticketsOf(tickets: NonNullable<Config["tickets"]>): boolean | TicketOptions {
  if (typeof tickets === "boolean") return tickets;
  const { secret, hold, rounds } = tickets;
  return {
    ...(secret !== undefined && { secret }),
    ...(hold !== undefined && { holdMs: hold }),
    ...(rounds !== undefined && { maxRounds: rounds }),
  };
}

function loopsOf(loops: NonNullable<Config["loops"]>): boolean | LoopOptions {
  if (typeof loops === "boolean") return loops;
  const { slow, stop, forget, ...options } = loops;
  return {
    ...options,
    ...(slow !== undefined && { slowMs: slow }),
    ...(stop !== undefined && { stopMs: stop }),
    ...(forget !== undefined && { forgetMs: forget }),
  } as LoopOptions;
}

/** By the table, else what an API key says, else the claim of a verified token. */
function tierOf({ claim, clients = {} }: NonNullable<Config["tier"]>): TierOf {
  const table = new Map(Object.entries(clients));
  return ({ authInfo }, client) => {
    const { tier, [claim ?? "tier"]: claimed } = authInfo?.extra ?? {};
    const said = authInfo?.clientId?.startsWith("key:") ? tier : claim === undefined ? undefined : claimed;
    return table.get(client) ?? (typeof said === "string" ? said : undefined);
  };
}

const mapped = (limits: Readonly<Record<string, LimitConfig>>): Readonly<Record<string, LimitLike>> =>
  Object.fromEntries(Object.entries(limits).map(([name, limit]) => [name, limitOf(limit)]));

function limitOf(limit: LimitConfig): LimitLike {
  if (typeof limit === "string" || Array.isArray(limit)) return limit;
  const { cost, settle, lease, quota, concurrency, per } = limit;
  return {
    ...(quota !== undefined && { quota }),
    ...(concurrency !== undefined && { concurrency }),
    ...(per !== undefined && { per }),
    ...(lease !== undefined && { leaseMs: lease }),
    ...(cost !== undefined && { cost: costOf(cost) }),
    ...(settle !== undefined && { settle }),
  } as LimitLike;
}

function policyOf({ lease, cost, adapt, onStoreFailure: _, ...policy }: PolicyConfig): Policy {
  return {
    ...policy,
    ...(lease !== undefined && { leaseMs: lease }),
    ...(cost !== undefined && { cost: costOf(cost) }),
    ...(adapt !== undefined && { adapt: adaptOf(adapt) }),
  } as Policy;
}

function adaptOf(adapt: NonNullable<PolicyConfig["adapt"]>): boolean | AdaptOptions {
  if (typeof adapt === "boolean") return adapt;
  const { slow, every, ...options } = adapt;
  return {
    ...options,
    ...(slow !== undefined && { slowMs: slow }),
    ...(every !== undefined && { everyMs: every }),
  } as AdaptOptions;
}

function costOf(cost: NonNullable<PolicyConfig["cost"]>) {
  return typeof cost === "object" && "tools" in cost ? cost.tools : cost;
}
