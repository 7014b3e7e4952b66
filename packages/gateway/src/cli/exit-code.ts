/** What the program tells a shell. In front of a server over stdio it is the server's own code. */
export const ExitCode = {
  ok: 0,
  /** Something failed: a port is taken, a server cannot be reached. */
  failed: 1,
  /** The command line or the policy file is wrong. */
  usage: 2,
  /** A condition holds that was to be told of: `sluice simulate --fail-if`. */
  condition: 3,
} as const;

/** Ends the program with a message for people and without a stack. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly exitCode: number;

  constructor(message: string, exitCode: number = ExitCode.usage, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}
