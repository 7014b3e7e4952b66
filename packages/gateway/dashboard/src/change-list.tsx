import type { Change } from "../../src/admin/live/changes.ts";
import { clientName, clock } from "./format.ts";

/** So many are read at a glance. */
const SHOWN = 4;

/** What was changed in the time that is shown, latest first. */
export function ChangeList({ changes }: { changes: readonly Change[] }) {
  const told = tellings(changes);
  if (told.length === 0) return null;
  const [latest, earlier] = [told.slice(0, SHOWN), told.slice(SHOWN)];
  return (
    <div class="changes">
      <Items told={latest} />
      {earlier.length > 0 && (
        <details>
          <summary>{earlier.length} earlier</summary>
          <Items told={earlier} />
        </details>
      )}
    </div>
  );
}

const Items = ({ told }: { told: readonly Telling[] }) => (
  <ul class="plain">
    {told.map(({ at, text, isBad }) => (
      <li key={`${at}${text}`} class={isBad ? "refused-text" : undefined}>
        <time dateTime={new Date(at).toISOString()}>{clock(at)}</time> {text}
      </li>
    ))}
  </ul>
);

interface Telling {
  readonly at: number;
  readonly text: string;
  readonly isBad: boolean;
}

/** What one action changes at several limits is told once. */
const TOGETHER_MS = 2_000;

/** Changes in words, latest first. */
function tellings(changes: readonly Change[]): readonly Telling[] {
  const told: { change: Change; limits: string[] }[] = [];
  for (const change of changes) {
    const last = told.at(-1);
    const limits = limitsOf(change);
    if (last !== undefined && change.at - last.change.at <= TOGETHER_MS && isAlike(last.change, change)) {
      last.limits.push(...limits);
    } else {
      told.push({ change, limits: [...limits] });
    }
  }
  return told.reverse().map(({ change, limits }) => ({
    at: change.at,
    text: textOf(change, limits.join(", ")),
    isBad: change.kind === "reload" && !change.ok,
  }));
}

const limitsOf = (change: Change): readonly string[] => {
  if (change.kind === "reload") return [];
  return change.kind === "reset" ? change.limits : [change.limit];
};

function isAlike(one: Change, other: Change): boolean {
  if (one.kind === "reload" || other.kind !== one.kind || other.client !== one.client) return false;
  return one.kind !== "override" || (other as typeof one).quota === one.quota;
}

function textOf(change: Change, limits: string): string {
  if (change.kind === "reload") {
    return change.ok
      ? `The policies were read anew: v${change.version}`
      : `The policy file is bad, v${change.version} stays`;
  }
  const name = change.client === undefined ? "A client" : clientName(change.client).name;
  if (change.kind === "reset") return `${name} begins anew: ${limits}`;
  if (change.kind === "taken-back") return `${name} has the limits of everybody again: ${limits}`;
  return change.quota === "blocked" ? `${name} is blocked: ${limits}` : `${name} has ${change.quota}: ${limits}`;
}
