import { z } from "zod";

const address = z.string().min(2);

/** Whose limits a call falls under. */
export const identity = z
  .strictObject({
    bearer: z
      .strictObject({
        issuer: z.string().min(1).meta({ description: "The `iss` of tokens." }),
        audience: z.string().min(1).meta({ description: "The `aud` of tokens: this server." }),
        jwks: z.string().min(1).meta({ description: "Where the issuer's keys are: a URL, or a file." }),
      })
      .optional()
      .meta({ description: "OAuth access tokens that are JWTs: the client is who the token says." }),
    apiKeys: z
      .strictObject({
        header: z
          .string()
          .min(1)
          .default("x-api-key")
          .meta({ description: "Default: x-api-key. authorization: after Bearer." }),
        keys: z
          .array(
            z.strictObject({
              name: z.string().min(1).meta({ description: "Stands in keys of limits and in logs." }),
              sha256: z
                .string()
                .regex(/^[0-9a-fA-F]{64}$/, { error: "the SHA-256 of an API key has 64 hexadecimal digits." })
                .meta({ description: "printf %s KEY | sha256sum" }),
              tier: z.string().min(1).optional(),
            }),
          )
          .min(1),
      })
      .optional()
      .meta({ description: "API keys that clients send, by their hashes." }),
    trustedHeader: z
      .strictObject({
        header: z.string().min(1).meta({ description: "Says who the client is." }),
        from: z.array(address).min(1).meta({ description: "Addresses and networks of the proxies that write it." }),
      })
      .optional()
      .meta({ description: "A header of a proxy that has verified the client." }),
    required: z.boolean().optional().meta({
      description: "Whether clients whom none of these verifies are answered with 401. Default: they pass, by address.",
    }),
    trustProxy: z
      .union([z.int().min(1), z.array(address).min(1)])
      .optional()
      .meta({ description: "Proxies that say in X-Forwarded-For where a client is: how many, or their networks." }),
  })
  .meta({
    description: "Whose limits a call over HTTP falls under. Without any of it, or when it is not valid: its address.",
  });
