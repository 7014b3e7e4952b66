import type { IdentityOptions } from "./identify.ts";

/** What a gateway says of itself that lets in only those whom it knows. */
export interface ProtectedResource {
  /** `WWW-Authenticate` of a 401. */
  readonly challenge: string;
  /** Where clients learn who gives tokens, and what they read there (RFC 9728). */
  readonly metadata?: { readonly path: string; readonly text: string };
}

const WELL_KNOWN = "/.well-known/oauth-protected-resource";

/** `undefined` when everybody is let in. */
export function protectedResource({ required, bearer, apiKeys }: IdentityOptions): ProtectedResource | undefined {
  if (required !== true) return undefined;
  if (bearer === undefined) return { challenge: apiKeys === undefined ? "Bearer" : `ApiKey realm="${apiKeys.header}"` };
  const { issuer, audience } = bearer;
  if (!URL.canParse(audience)) return { challenge: "Bearer" };
  const { origin, pathname } = new URL(audience);
  const path = WELL_KNOWN + pathname.replace(/\/$/, "");
  return {
    challenge: `Bearer resource_metadata="${origin}${path}"`,
    metadata: { path, text: JSON.stringify({ resource: audience, authorization_servers: [issuer] }) },
  };
}
