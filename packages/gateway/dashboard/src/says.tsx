import { again } from "./format.ts";

interface SaysProps {
  readonly mode: "enforce" | "shadow";
  readonly decision: { readonly allowed: boolean; readonly retryAfterMs: number };
}

/** What one quota says of a call. */
export const Says = ({ mode, decision: { allowed, retryAfterMs } }: SaysProps) =>
  allowed ? (
    <span class="passed-text">yes</span>
  ) : (
    <span class={mode === "shadow" ? "shadow-text" : "refused-text"}>no, {again(retryAfterMs)}</span>
  );
