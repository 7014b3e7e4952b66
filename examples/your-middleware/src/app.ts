// A login behind express-rate-limit, as it was before Sluice, but for the line that says `store`.
import express from "express";
import { rateLimit } from "express-rate-limit";
import type { Store } from "sluice";
import { sluiceStore } from "sluice/compat/express-rate-limit";

export function createApp(store: Store): express.Express {
  const app = express();
  app.post(
    "/login",
    rateLimit({
      windowMs: 15 * 60_000,
      limit: 3,
      standardHeaders: "draft-8",
      identifier: "login",
      skipSuccessfulRequests: true,
      keyGenerator: (request) => request.get("x-user") ?? "nobody",
      store: sluiceStore({ store, name: "login" }),
    }),
    (request, response) => {
      const isRight = request.get("x-password") === "open sesame";
      response.status(isRight ? 200 : 401).send(isRight ? "welcome" : "wrong password");
    },
  );
  return app;
}
