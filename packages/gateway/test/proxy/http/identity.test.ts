import { createHash } from "node:crypto";
import { mkdtempSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from "jose";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { IdentityOptions } from "../../../src/identity/identify.ts";
import { call, type Recorder, send, startGateway, startRecorder, type TestGateway } from "./gateway.ts";

const ISSUER = "https://issuer.example";
const AUDIENCE = "https://mcp.example/mcp";

let keys: Awaited<ReturnType<typeof generateKeyPair>>;
let strangers: Awaited<ReturnType<typeof generateKeyPair>>;
let jwks: { keys: object[] };
let upstream: Recorder;
let gateway: TestGateway | undefined;

beforeAll(async () => {
  keys = await generateKeyPair("ES256", { extractable: true });
  strangers = await generateKeyPair("ES256", { extractable: true });
  jwks = { keys: [{ ...(await exportJWK(keys.publicKey)), kid: "k1", alg: "ES256" }] };
});

beforeEach(async () => {
  upstream = await startRecorder();
});

afterEach(async () => {
  await gateway?.close();
  await upstream.close();
});

interface TokenOptions {
  readonly sub?: string;
  readonly issuer?: string;
  readonly audience?: string;
  readonly expires?: string | number;
  readonly key?: CryptoKey;
  readonly plan?: string;
}

function token({
  sub = "ann",
  issuer = ISSUER,
  audience = AUDIENCE,
  expires = "5m",
  key = keys.privateKey,
  plan = "free",
}: TokenOptions = {}) {
  return new SignJWT({ client_id: "app", plan })
    .setProtectedHeader({ alg: "ES256", kid: "k1" })
    .setSubject(sub)
    .setIssuer(issuer)
    .setAudience(audience)
    .setExpirationTime(expires)
    .sign(key);
}

const bearer = (value: string) => ({ Authorization: `Bearer ${value}` });

/** Each client has one call; whom the gateway takes for the same client shares it. */
async function start(identity: IdentityOptions, limits: object = { tools: { search: "1/h" } }): Promise<void> {
  gateway = await startGateway(upstream.url, limits, { identity });
}

let id = 0;
async function isAllowed(headers: object = {}): Promise<boolean> {
  const reply = await send(gateway!.url, call(++id, "search"), { headers });
  return reply.json?.result?.isError !== true;
}

function jwksFile(): string {
  const file = join(mkdtempSync(join(tmpdir(), "sluice-jwks-")), "jwks.json");
  writeFileSync(file, JSON.stringify(jwks));
  return file;
}

describe("bearer tokens", () => {
  it("say who a client is, when the issuer has signed them for this server", async () => {
    await start({ bearer: { issuer: ISSUER, audience: AUDIENCE, jwks: jwksFile() } });
    const [ann, bob] = [bearer(await token()), bearer(await token({ sub: "bob" }))];
    expect([await isAllowed(ann), await isAllowed(ann)]).toEqual([true, false]);
    expect([await isAllowed(bob), await isAllowed(bob)]).toEqual([true, false]);
    // Another token of the same client opens no new limit.
    expect(await isAllowed(bearer(await token({ expires: "9m" })))).toBe(false);
  });

  it.each<[string, () => Promise<string> | string]>([
    ["another issuer", () => token({ issuer: "https://evil.example" })],
    ["another audience", () => token({ audience: "https://other.example" })],
    ["one that has expired", () => token({ expires: Math.floor(Date.now() / 1000) - 60 })],
    ["another key", () => token({ key: strangers.privateKey })],
    ["no signature", () => new UnsecuredJWT({ sub: `x${++id}` }).setIssuer(ISSUER).setAudience(AUDIENCE).encode()],
    ["no token", () => `nonsense${++id}`],
  ])("that are not valid choose no key: %s", async (_, invalid) => {
    await start({ bearer: { issuer: ISSUER, audience: AUDIENCE, jwks: jwksFile() } });
    expect(await isAllowed()).toBe(true);
    // Whoever sends such a token is whom his address says, and that one has had its call.
    expect([await isAllowed(bearer(await invalid())), await isAllowed(bearer(await invalid()))]).toEqual([
      false,
      false,
    ]);
    expect(await isAllowed(bearer(await token()))).toBe(true);
  });

  it("name a tier by a claim, and only when they are valid", async () => {
    const limits = { tier: { claim: "plan" }, policies: [{ name: "p", tiers: { pro: "3/h", "*": "1/h" } }] };
    await start({ bearer: { issuer: ISSUER, audience: AUDIENCE, jwks: jwksFile() } }, limits);
    const pro = bearer(await token({ plan: "pro" }));
    expect([await isAllowed(pro), await isAllowed(pro)]).toEqual([true, true]);
    const forged = bearer(await token({ plan: "pro", key: strangers.privateKey }));
    expect([await isAllowed(forged), await isAllowed(forged)]).toEqual([true, false]);
  });

  it("are verified with keys that the issuer serves; passed on untouched", async () => {
    const issuer = createServer((_request, response) => void response.end(JSON.stringify(jwks)));
    await new Promise<void>((resolve) => issuer.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}/jwks`;
    try {
      await start({ bearer: { issuer: ISSUER, audience: AUDIENCE, jwks: url } });
      const ann = bearer(await token());
      expect([await isAllowed(ann), await isAllowed(ann), await isAllowed()]).toEqual([true, false, true]);
      expect(upstream.received[0]!.headers.authorization).toBe(ann.Authorization);
    } finally {
      issuer.closeAllConnections();
      issuer.close();
    }
  });
});

describe("API keys", () => {
  const sha256 = (key: string) => createHash("sha256").update(key).digest("hex");
  const table = [
    { name: "ann", sha256: sha256("secret-a"), tier: "pro" },
    { name: "bob", sha256: sha256("secret-b").toUpperCase() },
  ];

  it("say who a client is; unknown ones say nothing", async () => {
    await start({ apiKeys: { header: "X-Api-Key", keys: table } });
    const key = (value: string) => ({ "x-api-key": value });
    expect([await isAllowed(key("secret-a")), await isAllowed(key("secret-a"))]).toEqual([true, false]);
    expect(await isAllowed(key("secret-b"))).toBe(true);
    expect(await isAllowed()).toBe(true);
    expect([await isAllowed(key("made up")), await isAllowed(key("made up, too"))]).toEqual([false, false]);
  });

  it("may be bearer tokens", async () => {
    await start({ apiKeys: { header: "authorization", keys: table } });
    expect([
      await isAllowed(bearer("secret-a")),
      await isAllowed(bearer("secret-a")),
      await isAllowed(bearer("secret-b")),
    ]).toEqual([true, false, true]);
  });
});

describe("a header of a trusted proxy", () => {
  it("is believed from its address, and from no other", async () => {
    await start({ trustedHeader: { header: "x-user", from: ["127.0.0.0/8"] } });
    const user = (name: string) => ({ "x-user": name });
    expect([await isAllowed(user("ann")), await isAllowed(user("ann")), await isAllowed(user("bob"))]).toEqual([
      true,
      false,
      true,
    ]);
    await gateway!.close();
    await start({ trustedHeader: { header: "x-user", from: ["10.0.0.0/8"] } });
    expect([await isAllowed(user("ann")), await isAllowed(user("bob")), await isAllowed()]).toEqual([
      true,
      false,
      false,
    ]);
  });
});

describe("addresses", () => {
  it("are those of the connection, whatever a client writes into X-Forwarded-For", async () => {
    await start({});
    const from = (address: string) => ({ "X-Forwarded-For": address });
    expect([await isAllowed(from("192.0.2.1")), await isAllowed(from("192.0.2.2"))]).toEqual([true, false]);
  });

  it("are those that a trusted proxy names, from the right", async () => {
    await start({ trustProxy: ["127.0.0.0/8"] });
    const from = (address: string) => ({ "X-Forwarded-For": address });
    expect([
      await isAllowed(from("192.0.2.1")),
      await isAllowed(from("192.0.2.2")),
      await isAllowed(from("198.51.100.9, 192.0.2.1")),
    ]).toEqual([true, true, false]);
  });
});
