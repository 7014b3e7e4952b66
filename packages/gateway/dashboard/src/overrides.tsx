import type { Override } from "sluice/mcp";
import { ClientName } from "./client-name.tsx";
import { clientName, duration } from "./format.ts";

interface OverridesProps {
  readonly overrides: readonly Override[];
  readonly now: number;
  remove(override: Override): void;
}

/** Who has other limits for a while, and who is blocked. */
export function Overrides({ overrides, now, remove }: OverridesProps) {
  return (
    <section class="panel rest" aria-labelledby="overrides-title">
      <header>
        <h2 id="overrides-title">Overrides</h2>
        <span class="hint">{overrides.length === 0 ? "" : overrides.length}</span>
      </header>
      {overrides.length === 0 ? (
        <p class="empty">Nobody has other limits than the policies say.</p>
      ) : (
        <ul class="overrides">
          {[...overrides]
            .sort((a, b) => a.until - b.until)
            .map((override) => (
              <li key={`${override.limit}\n${override.client}`}>
                <div>
                  <ClientName client={override.client} />
                  <p>
                    <span class={override.quota === "blocked" ? "tag refused" : "tag"}>{String(override.quota)}</span>
                    <span class="hint">
                      {override.limit}, for {duration(override.until - now)}
                      {override.note !== undefined && `: ${override.note}`}
                    </span>
                  </p>
                </div>
                <button
                  type="button"
                  class="quiet"
                  onClick={() => remove(override)}
                  aria-label={`Take back ${override.limit} for ${clientName(override.client).name}`}
                >
                  Take back
                </button>
              </li>
            ))}
        </ul>
      )}
    </section>
  );
}
