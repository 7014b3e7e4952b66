import express, { type Express } from "express";
import { type MemoryStoreOptions, memoryStore, perHour, perSecond } from "sluice";
import { rateLimit } from "sluice/express";

/** A small public API. Every limit stands beside what it protects. */
export function createApp(storeOptions: MemoryStoreOptions = {}): Express {
  const app = express();
  const store = memoryStore(storeOptions);

  // Users by their key, strangers by their address, which only the proxy on this machine may name.
  app.use(
    rateLimit({
      name: "api",
      quota: [perSecond(5), perHour(20)],
      store,
      trustProxy: "loopback",
      key: (request, address) => request.get("x-api-key") ?? address(),
      cost: (request) => (request.path === "/report" ? 4 : 1),
      skip: (request) => request.path === "/health",
    }),
  );

  // A route with a limit of its own, and its own words for a refusal.
  app.get(
    "/login",
    rateLimit({
      name: "login",
      quota: "2/min",
      store,
      trustProxy: "loopback",
      onRefused: ({ decision }, _request, response) => {
        response.json({ error: `Too many logins. Try again in ${Math.ceil(decision.retryAfterMs / 1000)} s.` });
      },
    }),
  );

  app.get("/health", (_request, response) => void response.send("healthy"));
  app.get("/{*path}", (request, response) => void response.send(`hello from ${request.path}`));
  return app;
}
