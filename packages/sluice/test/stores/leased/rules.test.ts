import * as library from "sluice";
import { expect, it } from "vitest";
import { rules } from "./rules.ts";

it.each(rules)("$name", async ({ check }) => {
  await expect(check(library)).resolves.toBeUndefined();
});
