import { readFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { createLocalJWKSet, createRemoteJWKSet, errors, type JWTPayload, jwtVerify } from "jose";
import type { AuthInfoLike } from "sluice/mcp";
import type { Logger } from "../log.ts";
import { bearerOf, sha256 } from "./api-keys.ts";

export interface BearerOptions {
  readonly issuer: string;
  readonly audience: string;
  /** Where the keys are that tokens are signed with: a URL, or a file. */
  readonly jwks: string;
  readonly log: Logger;
}

interface Verified {
  readonly info: AuthInfoLike;
  readonly until: number;
}

/** Tokens that were verified and are good for a while. */
const MAX_TOKENS = 10_000;
/** A key that is withdrawn is believed no longer than this, in milliseconds. */
const LONGEST_MS = 60_000;

/**
 * Knows clients by OAuth access tokens that are JWTs (RFC 9068), signed with a key of the issuer and meant for this
 * server. Whatever is wrong with a token, the client is nobody: the server behind says so to it.
 *
 * @throws what is wrong with a file of keys
 */
export function bearerReader({
  issuer,
  audience,
  jwks,
  log,
}: BearerOptions): (request: IncomingMessage) => Promise<AuthInfoLike | undefined> {
  const keys = /^https?:/.test(jwks)
    ? createRemoteJWKSet(new URL(jwks))
    : createLocalJWKSet(JSON.parse(readFileSync(jwks, "utf8")));
  const verified = new Map<string, Verified>();

  return async ({ headers }) => {
    const token = bearerOf(headers.authorization);
    if (token === undefined) return undefined;
    const name = sha256(token);
    const known = verified.get(name);
    if (known !== undefined && known.until > Date.now()) return known.info;
    verified.delete(name);
    let payload: JWTPayload;
    try {
      // Only signatures by which nobody but the issuer can make a token.
      const algorithms = [
        "RS256",
        "RS384",
        "RS512",
        "PS256",
        "PS384",
        "PS512",
        "ES256",
        "ES384",
        "ES512",
        "EdDSA",
        "Ed25519",
      ];
      ({ payload } = await jwtVerify(token, keys, { issuer, audience, algorithms }));
    } catch (error) {
      const isClients = error instanceof errors.JOSEError && !(error instanceof errors.JWKSTimeout);
      if (isClients) log.debug({ code: error.code }, "a bearer token is not valid");
      else log.warn({ err: error }, "bearer tokens cannot be verified: the issuer's keys cannot be read");
      return undefined;
    }
    const info = infoOf(payload);
    if (verified.size >= MAX_TOKENS) verified.delete(verified.keys().next().value!);
    verified.set(name, { info, until: Math.min((payload.exp ?? Infinity) * 1000, Date.now() + LONGEST_MS) });
    return info;
  };
}

/** The client's id is `client_id` (RFC 9068) or `azp` (OpenID Connect). */
function infoOf(payload: JWTPayload): AuthInfoLike {
  const { client_id: clientId, azp } = payload;
  const id = [clientId, azp].find((one) => typeof one === "string") as string | undefined;
  return { ...(id !== undefined && { clientId: id }), extra: payload };
}
