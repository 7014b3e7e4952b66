// Loaded before a fence that is run: whatever it listens on is a free port on loopback, and when it listens it has done what it shows.
import { Server } from "node:net";

const listen = Server.prototype.listen;
Server.prototype.listen = function (this: Server, ...args: any[]) {
  const callback = args.find((one) => typeof one === "function");
  this.once("listening", () => setImmediate(() => process.exit()));
  return (listen as (...args: unknown[]) => Server).call(this, 0, "127.0.0.1", callback);
} as typeof listen;
