import { describe, it } from "vitest";
import { rules } from "./rules.ts";

describe("a shared queue", () => {
  it.each(rules)("$name", ({ check }) => check());
});
