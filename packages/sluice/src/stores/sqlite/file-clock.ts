import type { Clock } from "../../limiter/clock.ts";
import type { Times } from "../../limiter/store.ts";
import type { SqliteDatabase } from "./types.ts";

export const CLOCK_SCHEMA = `
  CREATE TABLE IF NOT EXISTS sluice_time_1 (
    id INTEGER PRIMARY KEY CHECK (id = 0),
    latest INTEGER NOT NULL,
    shift INTEGER NOT NULL
  );
  INSERT OR IGNORE INTO sluice_time_1 VALUES (0, 0, 0);`;

/** Reads the time inside a transaction. */
export interface FileClock {
  /** @param isWriting whether the transaction may remember the time */
  read(isWriting: boolean): Times;
}

/** A step back of up to a second holds elapsed time still: it is a correction, and soon caught up with. */
const HOLD = 1_000_000;
/** Room for a period of 71 years after it below 2^53: the year 2184. */
const LATEST = 2 ** 53 - 2 ** 51;

/**
 * The time of a file: elapsed time is the clock on the wall, made to never go back by what the file
 * remembers, for all processes that share it.
 *
 * - A step back of up to a second: elapsed time holds still until the wall has caught up.
 * - A greater step back: elapsed time runs on from where it was, and the file keeps the shift. So an hour
 *   back, or years back after somebody's clock was years ahead, neither opens a limit nor locks it.
 * - A step forward cannot be told from a file that nobody used meanwhile: it counts as time that passed.
 *
 * Wall time is the wall's own, also after a step: the windows of the calendar are those of today.
 */
export function fileClock(database: SqliteDatabase, clock: Clock): FileClock {
  const remembered = database.prepare("SELECT latest, shift FROM sluice_time_1");
  const remember = database.prepare("UPDATE sluice_time_1 SET latest = ?, shift = ?");
  return {
    read(isWriting) {
      const wall = clock.wall();
      if (!(wall <= LATEST)) throw new RangeError(`The clock of this machine is beyond the year 2184: ${wall} µs.`);
      const kept = remembered.get() as { latest: number | bigint; shift: number | bigint };
      const latest = Number(kept.latest);
      let shift = Number(kept.shift);
      if (latest - wall - shift > HOLD) shift = latest - wall;
      let elapsed = Math.max(latest, wall + shift);
      // After many steps the shift could leave the integers. States from the future are mended by the algorithms.
      if (elapsed > LATEST) [elapsed, shift] = [wall, 0];
      if (isWriting && (elapsed !== latest || shift !== Number(kept.shift))) remember.run(elapsed, shift);
      return { elapsed, wall };
    },
  };
}
