import { afterEach, beforeEach, expect, vi } from "vitest";
import { settled } from "../limiter/held-store.ts";

/** A check of every test of a file: no promise was rejected that nobody looked at. */
export function expectNoUnhandledRejections(): void {
  const unhandled = vi.fn();
  beforeEach(() => void process.on("unhandledRejection", unhandled));
  afterEach(async () => {
    await settled();
    process.off("unhandledRejection", unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });
}
