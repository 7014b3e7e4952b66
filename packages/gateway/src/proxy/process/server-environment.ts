/** The environment of a server: that of the gateway, without what only the gateway may know. */
export const serverEnvironment = (added: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({
  ...process.env,
  SLUICE_ADMIN_TOKEN: undefined,
  ...added,
});
