import { setTimeout as after } from "node:timers/promises";
import { formatDuration } from "sluice";
import type { ClientRow, Order } from "../admin/clients.ts";
import { askAdmin } from "./admin-client.ts";
import { aligned } from "./aligned.ts";
import { CliError, ExitCode } from "./exit-code.ts";
import type { HostPort } from "./options.ts";

export interface KeysOptions {
  readonly admin?: HostPort;
  /** How many clients. */
  readonly top: number;
  readonly by: Order;
  readonly json?: boolean;
}

export interface TopOptions extends KeysOptions {
  /** In milliseconds. */
  readonly every: number;
  /** Stop after so many. @default on a terminal never, else 1 */
  readonly count?: number;
}

interface Seen {
  /** In milliseconds since 1970. */
  readonly now: number;
  /** Clients that it knows. */
  readonly known: number;
  readonly clients: readonly ClientRow[];
}

const CLEAR = "\x1b[H\x1b[2J";
const WIDEST_CLIENT = 44;

/** `sluice keys`: the clients of a running gateway, and how much of their limits is left. */
export async function keys(options: KeysOptions): Promise<number> {
  const seen = await ask(options);
  process.stdout.write(options.json ? `${JSON.stringify(seen)}\n` : tableOf(seen));
  return ExitCode.ok;
}

/** `sluice top`: the same, again and again, with what each client calls per minute. Until Ctrl-C. */
export async function top({ every, count, ...options }: TopOptions): Promise<number> {
  const isTerminal = process.stdout.isTTY;
  const times = count ?? (isTerminal ? Infinity : 1);
  let before: Seen | undefined;
  for (let i = 0; i < times; i++) {
    if (i > 0) await after(every);
    const seen = await ask(options);
    if (options.json) process.stdout.write(`${JSON.stringify(seen)}\n`);
    else process.stdout.write(`${isTerminal ? CLEAR : ""}${tableOf(seen, before)}`);
    before = seen;
  }
  return ExitCode.ok;
}

async function ask({ admin, top: most, by }: KeysOptions): Promise<Seen> {
  const { status, text } = await askAdmin(admin, `/api/v1/clients?top=${most}&by=${by}`);
  if (status === 200) return JSON.parse(text) as Seen;
  throw new CliError(`The admin API said ${status}: ${text.trim()}`, ExitCode.failed);
}

/** A table for people. @param before what was seen last, to say how many calls there were since then */
export function tableOf({ now, known, clients }: Seen, before?: Seen): string {
  if (clients.length === 0) return "Nobody has called yet.\n";
  const earlier = new Map(before?.clients.map((row) => [row.client, row]));
  const rows = clients.map((row) => [
    row.client.length > WIDEST_CLIENT ? `${row.client.slice(0, WIDEST_CLIENT - 1)}…` : row.client,
    row.tier ?? "",
    before === undefined ? "" : rateOf(row, earlier.get(row.client), now - before.now),
    String(row.passed),
    row.refused === 0 && row.wouldBeRefused === 0 ? "" : refusedOf(row),
    leftOf(row, now),
    `${formatDuration(roughly(now - row.lastAt))} ago`,
  ]);
  const head = [
    "CLIENT",
    "TIER",
    before === undefined ? "" : "PER MIN",
    "PASSED",
    "REFUSED",
    "LEAST LEFT",
    "LAST CALL",
  ];
  const more = known > clients.length ? `${known - clients.length} more clients.\n` : "";
  return `${aligned(head, rows)}${more}`;
}

const refusedOf = ({ refused, wouldBeRefused }: ClientRow): string =>
  wouldBeRefused === 0 ? String(refused) : `${refused} (+${wouldBeRefused} on trial)`;

function rateOf(row: ClientRow, earlier: ClientRow | undefined, ms: number): string {
  if (ms <= 0) return "";
  const calls = row.passed + row.refused - (earlier === undefined ? 0 : earlier.passed + earlier.refused);
  return String(Math.max(0, Math.round((calls * 60_000) / ms)));
}

/** A client that has not called since its limit was as good as new has all of it. */
function leftOf({ tightest: { quota, limit, remaining, resetAt } }: ClientRow, now: number): string {
  if (resetAt <= now) return "all";
  return `${remaining}/${limit} of ${quota}, all in ${formatDuration(roughly(resetAt - now))}`;
}

const roughly = (ms: number): number => Math.max(0, Math.round(ms / 1000)) * 1000;
