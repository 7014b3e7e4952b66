import type { ChildProcess } from "node:child_process";
import { afterEach, beforeEach } from "vitest";
import { type Recorder, send, startRecorder } from "../proxy/http/gateway.ts";
import { type Started, startMain } from "./start-main.ts";

export const TOKEN = "correct horse battery staple";
export const authorized = { headers: { Authorization: `Bearer ${TOKEN}` } };

const children: ChildProcess[] = [];

/** A gateway that ends with the test. */
export async function start(args: readonly string[], env: object = {}, listen?: readonly string[]): Promise<Started> {
  const started = await startMain(args, { SLUICE_ADMIN_TOKEN: TOKEN, ...env }, listen);
  children.push(started.child);
  return started;
}

/** The server behind, another one for each test. */
export let upstream: Recorder;

export async function newUpstream(): Promise<void> {
  upstream = await startRecorder();
}

/** To be called once by a file of tests. */
export function withUpstream(): void {
  beforeEach(newUpstream);
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill("SIGKILL");
    await upstream.close();
  });
}

export const get = (url: URL, path: string, options: object = {}) =>
  send(url, undefined, { method: "GET", path, ...options });
export const post = (url: URL, path: string, body: unknown, options: object = authorized) =>
  send(url, JSON.stringify(body), { path, ...options });
