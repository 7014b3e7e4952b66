import { connect } from "node:net";

const PATIENCE_MS = 1_000;

/** Whether somebody takes connections there. */
export function listens({ hostname, port, protocol }: URL): Promise<boolean> {
  return new Promise((resolve) => {
    const at = port === "" ? (protocol === "https:" ? 443 : 80) : Number(port);
    const socket = connect({ host: hostname.replace(/^\[|\]$/g, ""), port: at, timeout: PATIENCE_MS });
    const end = (outcome: boolean) => {
      socket.destroy();
      resolve(outcome);
    };
    socket
      .on("connect", () => end(true))
      .on("error", () => end(false))
      .on("timeout", () => end(false));
  });
}
