/** What the script says instead of the units that are left, or of the time. */
export const Sign = {
  /** Time lies outside the windows of a calendar: nothing was done. */
  needsWindows: -1,
  /** The bytes of a key are not a state. */
  damaged: -2,
} as const;
