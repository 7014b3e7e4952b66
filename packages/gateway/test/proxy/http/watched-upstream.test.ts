import { afterEach, describe, expect, it } from "vitest";
import { httpUpstream } from "../../../src/proxy/http/http-upstream.ts";
import { watched } from "../../../src/proxy/http/watched-upstream.ts";
import { call, send, startGateway, startRecorder } from "./gateway.ts";

const cleanup: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of cleanup.splice(0).reverse()) await close();
});

describe("a server that is watched", () => {
  it("says what runs, what was answered, and what was not", async () => {
    const recorder = await startRecorder();
    const upstream = watched(httpUpstream(recorder.url));
    const gateway = await startGateway(upstream, {});
    cleanup.push(
      () => recorder.close(),
      () => gateway.close(),
    );
    expect(upstream.load).toEqual({ running: 0, answered: 0, failed: 0 });
    const asked = Promise.withResolvers<() => void>();
    recorder.answer = (_request, response) => asked.resolve(() => void response.writeHead(200).end("{}"));
    const sent = send(gateway.url, call(1, "t"));
    const finish = await asked.promise;
    expect(upstream.load).toEqual({ running: 1, answered: 0, failed: 0 });
    finish();
    expect((await sent).status).toBe(200);
    expect(upstream.load).toEqual({ running: 0, answered: 1, failed: 0, answerMs: expect.any(Number) });
    recorder.answer = (_request, response) => void response.destroy();
    expect((await send(gateway.url, call(2, "t"))).status).toBe(502);
    expect(upstream.load).toMatchObject({ running: 0, answered: 1, failed: 1 });
  });
});
