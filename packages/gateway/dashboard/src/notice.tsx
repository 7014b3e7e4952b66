import { useEffect } from "preact/hooks";
import type { State } from "./state.ts";

const SHOWN_MS = 8_000;

/** Says what came of an action. The region is always there, so that readers of screens hear what is put into it. */
export function Notice({ notice, close }: { notice: State["notice"]; close(): void }) {
  useEffect(() => {
    if (notice === undefined || notice.isBad) return undefined;
    const timer = setTimeout(close, SHOWN_MS);
    return () => clearTimeout(timer);
  }, [notice]);
  return (
    <div class="notices" role="status">
      {notice !== undefined && (
        <div class={notice.isBad ? "notice bad" : "notice"}>
          <span>{notice.text}</span>
          <button type="button" class="quiet" onClick={close} aria-label="Close this message">
            ×
          </button>
        </div>
      )}
    </div>
  );
}
