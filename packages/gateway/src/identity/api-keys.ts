import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { AuthInfoLike } from "sluice/mcp";

interface ApiKey {
  /** Stands in keys of limits and in logs, instead of the key itself. */
  readonly name: string;
  /** SHA-256 of the key, in hexadecimal digits. */
  readonly sha256: string;
  readonly tier?: string | undefined;
}

export interface ApiKeysOptions {
  /** The header that has the key; of `authorization` what follows `Bearer`. */
  readonly header: string;
  readonly keys: readonly ApiKey[];
}

/**
 * Knows clients by the API keys that they send. The table has hashes, so whoever reads it cannot use it; and a key is
 * looked up by its hash, so the time that this takes tells nothing about it.
 */
export function apiKeyReader({ header, keys }: ApiKeysOptions): (request: IncomingMessage) => AuthInfoLike | undefined {
  const byHash = new Map(keys.map((key) => [key.sha256.toLowerCase(), key]));
  const name = header.toLowerCase();
  return ({ headers }) => {
    const value = headers[name];
    if (typeof value !== "string" || value === "") return undefined;
    const key = byHash.get(sha256(name === "authorization" ? (bearerOf(value) ?? "") : value));
    return key && { clientId: `key:${key.name}`, extra: { tier: key.tier } };
  };
}

export const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** The token of `Authorization: Bearer …` (RFC 6750 §2.1). */
export function bearerOf(value: string | undefined): string | undefined {
  return /^Bearer +([\w~+/.-]+=*) *$/i.exec(value ?? "")?.[1];
}
