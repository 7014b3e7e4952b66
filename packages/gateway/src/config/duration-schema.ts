import { parseDuration } from "sluice";
import { z } from "zod";

/** A duration as text, in milliseconds. */
export const duration = (least: number, most: number, description: string) =>
  z
    .string()
    .transform((text, context) => {
      const ms = parseDuration(text);
      if (ms !== undefined && ms >= least && ms <= most) return ms;
      const found = ms === undefined ? `${JSON.stringify(text)} is no duration` : `${text} is out of range`;
      context.addIssue({
        code: "custom",
        message: `${found}: write "500ms", "5s" or "2min", from ${inWords(least)} to ${inWords(most)}.`,
      });
      return z.NEVER;
    })
    .meta({ description, examples: ["500ms", "5s", "2min"] });

const inWords = (ms: number): string => (ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`);
