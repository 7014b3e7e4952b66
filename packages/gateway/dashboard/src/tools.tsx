import type { ToolRow } from "../../src/admin/live/counts.ts";
import { count, duration, percent } from "./format.ts";
import { Scroll } from "./scroll.tsx";

interface ToolsProps {
  readonly tools: readonly ToolRow[];
  readonly now: number;
  /** Shows the decisions about a tool alone. */
  look(tool: string): void;
}

/** Which tools are called, and what came of it. */
export function Tools({ tools, now, look }: ToolsProps) {
  return (
    <section class="panel rest" aria-labelledby="tools-title">
      <header>
        <h2 id="tools-title">Tools</h2>
        <span class="hint">since the start</span>
      </header>
      {tools.length === 0 ? (
        <p class="empty">No tool has been called yet.</p>
      ) : (
        <Scroll title="tools-title">
          <table>
            <thead>
              <tr>
                <th scope="col">Tool</th>
                <th scope="col" class="number">
                  Passed
                </th>
                <th scope="col" class="number">
                  Refused
                </th>
                <th scope="col" class="number">
                  Waited
                </th>
                <th scope="col" class="number">
                  Last
                </th>
              </tr>
            </thead>
            <tbody>
              {tools.map(({ tool, passed, refused, waited, lastAt }) => (
                <tr key={tool}>
                  <th scope="row">
                    <button type="button" class="link" onClick={() => look(tool)} title="Show the decisions about it">
                      {tool}
                    </button>
                  </th>
                  <td class="number">{count(passed)}</td>
                  <td class="number">
                    <span class={refused > 0 ? "refused-text" : "muted"}>{count(refused)}</span>
                    {refused > 0 && <span class="hint"> {percent(refused, passed + refused)}</span>}
                  </td>
                  <td class={waited > 0 ? "number" : "number muted"}>{count(waited)}</td>
                  <td class="number hint">{duration(Math.max(0, now - lastAt))}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
    </section>
  );
}
