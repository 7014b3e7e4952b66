/** A busy machine may hold a process up between its look at the clock and the start. In microseconds. */
const LAG_AT_MOST = 5_000;

/** How old units may be that are looked at now, so that the call starts while they are usable. */
export const startable = (usable: number): number => usable - Math.min(LAG_AT_MOST, usable / 4);
