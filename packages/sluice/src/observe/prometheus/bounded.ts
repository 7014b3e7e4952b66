import { METHODS } from "../methods.ts";

/** What stands for all values beyond those that are told apart. */
const OTHER = "other";

/** The value of a label: the first so many are told apart, later ones are "other". A nothing is an empty label. */
export function bounded(most: number): (value: string | undefined) => string {
  const known = new Set<string>();
  return (value) => {
    if (value === undefined || known.has(value)) return value ?? "";
    if (known.size >= most) return OTHER;
    known.add(value);
    return value;
  };
}

/** Names that there are: a list, or what says whether there is one now. */
export type Names = Iterable<string> | ((name: string) => boolean);

/** Names that there are; all others, which clients can make up, are "other". So are those beyond the first so many. */
export function listed(names: Names, most: number): (name: string | undefined) => string {
  const list = typeof names === "function" ? undefined : new Set(names);
  const has = typeof names === "function" ? names : (name: string) => list!.has(name);
  const limit = bounded(most);
  return (name) => (name === undefined ? "" : has(name) ? limit(name) : OTHER);
}

export const methodLabel = (method: string): string => (METHODS.has(method) ? method : OTHER);
