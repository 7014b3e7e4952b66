import { z } from "zod";

/** A log of calls for `sluice simulate`. */
const full = z.strictObject({
  file: z.string().min(1).meta({ description: "Where lines of JSON are added. Made with mode 0600." }),
  sample: z.number().min(0).max(1).optional().meta({
    description: "Which part of the clients is recorded, from 0 to 1; of these every call. Default: 1.",
  }),
  secret: z.string().min(16).optional().meta({
    description:
      "Key of the hashes that stand for clients: ${SLUICE_RECORD_SECRET}. Default: a random one for each start.",
  }),
  maxFileBytes: z.int().min(1_000).optional().meta({
    description: "A file of this size gets no more lines. Default: 1 GiB.",
  }),
});

export const record = z
  .union([z.string().min(1), full])
  .transform((given): z.output<typeof full> => (typeof given === "string" ? { file: given } : given))
  .meta({
    description:
      "Writes what policies need to know of each call to a file, for `sluice simulate`: never tokens or arguments.",
  });
