import { formatDuration } from "sluice";
import type { ReportOptions } from "./report.ts";

/** What one has to know to read a report rightly: what a replay cannot know, and what was wrong with the log. */
export function notesOf({
  replayed: { tally, overflowed },
  stats,
  behaviour,
  against,
  needed,
}: ReportOptions): readonly string[] {
  const { all, clients } = tally;
  const { heads, order } = stats;
  const notes: string[] = [BEHAVIOUR_NOTES[behaviour]];
  const has = (text: string, is: boolean) => {
    if (is) notes.push(text);
  };
  const samples = [...heads.samples].filter((sample) => sample < 1);
  has(
    `The log has a sample of the clients (${samples.map((sample) => `${percent(sample)} %`).join(", ")}): what all clients share (global, everyone) saw less than it would have.`,
    samples.length > 0,
  );
  const missing = needed.filter((one) => !stats.seen.has(one));
  has(
    `No call of the log has ${missing.join(", ")}, which the policy looks at: calls cost there what they cost without, and share their keys.`,
    missing.length > 0 && all.calls > 0,
  );
  has(`${stats.leftOut} lines were left out by --only.`, stats.leftOut > 0);
  has(`${heads.lost} lines were lost when the log was written.`, heads.lost > 0);
  has(`${stats.bad} lines of the log are no calls, and were left out.`, stats.bad > 0);
  has(`${order.moved} calls stood behind later ones, and were put in order.`, order.moved > 0);
  has(
    `${order.late} calls stood too far behind later ones (up to ${formatDuration(Math.ceil(order.latestMs))}), and were taken for calls of the time that had been reached: raise --reorder.`,
    order.late > 0,
  );
  has(
    "The times are whole seconds: within a second calls come at once, which limits of a few seconds notice.",
    stats.calls > 1 && stats.wholeSeconds === stats.calls,
  );
  has(
    `${stats.timeless} calls have no duration: limits of how many run at once took them for over at once.`,
    stats.timeless > 0 && stats.timeless < all.calls,
  );
  has(
    "Calls were refused when the log was written: what clients did afterwards is an answer to that, too.",
    against !== undefined && tally.loggedRefused > 0,
  );
  has(
    `There are more clients than are kept: ${clients.known} is an upper bound, and what is said of one is a lower bound.`,
    !clients.isWhole,
  );
  has(
    `${overflowed} decisions were made under a shared key, because there were more keys than the gateway remembers.`,
    overflowed > 0,
  );
  has(`${tally.never} calls cost more than a limit can ever give: waiting would not help them.`, tally.never > 0);
  return notes;
}

const BEHAVIOUR_NOTES = {
  open: "Clients do here what they did in the log. A real client that is refused waits, tries again or gives up, and its later calls would be others: see --clients wait and --clients retry.",
  wait: "Clients wait here as long as they are told, and all that they do afterwards is later by that. Whether real ones do is not in a log.",
  retry:
    "Clients try again here after 1, 2 and 4 seconds, whatever they are told. Whether real ones do is not in a log.",
} as const;

const percent = (part: number): string => String(Math.round(part * 10_000) / 100);
