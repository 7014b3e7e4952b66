import type { ServerResponse } from "node:http";
import type { Admission } from "sluice/mcp";
import type { Forwarded } from "./upstream.ts";

/**
 * The client of a request, while it is there, and what ends with it.
 *
 * It lets go of everything when that is over: the garbage collector takes long for requests that know of each other.
 */
export class Client {
  #response: ServerResponse | undefined;
  #controller: AbortController | undefined;
  #forwarded: Forwarded | undefined;
  #admission: Admission | undefined;
  #hasLeft = false;

  constructor(response: ServerResponse) {
    this.#response = response;
    response.on("close", () => this.#over());
    response.on("drain", () => this.#forwarded?.resume());
  }

  /** Aborts when it leaves before it has its answer. Made when somebody asks for it: most calls do not wait. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#hasLeft) this.#controller.abort(GONE);
    }
    return this.#controller.signal;
  }

  /** The server behind has its request, whose calls run from now on: their places go back with the answer. */
  waitsFor(forwarded: Forwarded, admission: Admission | undefined): void {
    this.#forwarded = forwarded;
    this.#admission = admission;
    if (this.#response === undefined) this.#end();
  }

  /** Nothing more comes from the server: its calls have ended, whatever becomes of the connection to the client. */
  hasAll(): void {
    this.#forwarded = undefined;
    this.#admission?.finish();
    this.#admission = undefined;
  }

  #over(): void {
    this.#hasLeft = this.#response?.writableFinished === false;
    this.#response = undefined;
    if (this.#hasLeft) this.#controller?.abort(GONE);
    this.#end();
  }

  /** Work of a call whose client has gone may go on: its places are held until their lease ends. */
  #end(): void {
    const [forwarded, admission] = [this.#forwarded, this.#admission];
    this.#forwarded = undefined;
    this.#admission = undefined;
    if (this.#hasLeft) {
      forwarded?.abort();
      admission?.abandon();
    } else admission?.finish();
  }
}

const GONE = new Error("The client has gone.");
