import { type Look, MappingError } from "./mapping.ts";

/** A condition on a record: what stands under a name. */
export interface Only {
  readonly name: string;
  /** Whole, in any case of letters. */
  readonly pattern: RegExp;
}

/**
 * Reads `request_method=POST` and `path=/mcp*`, in which `*` stands for any characters.
 *
 * @throws MappingError
 */
export function parseOnly(texts: readonly string[]): readonly Only[] {
  return texts.map((text) => {
    const [, name, pattern] = /^\s*([^=\s]+)\s*=\s*(.+?)\s*$/.exec(text) ?? [];
    if (name === undefined || pattern === undefined) {
      throw new MappingError(`--only is NAME=PATTERN, such as path=/mcp*, but it is ${JSON.stringify(text)}.`);
    }
    const parts = pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
    return { name, pattern: new RegExp(`^${parts.join(".*")}$`, "is") };
  });
}

/** Whether all conditions hold. */
export const isMeant = (only: readonly Only[], look: Look): boolean =>
  only.every(({ name, pattern }) => pattern.test(String(look(name) ?? "")));
