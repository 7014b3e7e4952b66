import { createApp } from "./app.ts";

const port = Number(process.env.PORT ?? 8080);
createApp().listen(port, "127.0.0.1", (error) => {
  if (error) throw error;
  console.log(`Try: for i in 1 2 3 4 5 6; do curl -i http://localhost:${port}/; done`);
});
