import { type AccuracyResults, accuracy } from "./accuracy.ts";
import { type SharedResults, shared } from "./shared.ts";
import { type SpeedResults, speed } from "./speed.ts";

export interface OutboundResults {
  readonly accuracy: AccuracyResults;
  readonly shared: SharedResults;
  readonly speed: SpeedResults;
}

/** Calls that go out: how exactly the limit is kept, and what it costs to keep it. */
export async function outbound(rounds: number): Promise<OutboundResults> {
  return { accuracy: await accuracy(rounds), shared: await shared(), speed: await speed(rounds) };
}
