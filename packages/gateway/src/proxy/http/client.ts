import type { ClientRequest, ServerResponse } from "node:http";
import type { Admission } from "sluice/mcp";

/**
 * The client of a request, while it is there, and what ends with it.
 *
 * It lets go of everything when that is over: the garbage collector takes long for requests that know of each other.
 */
export class Client {
  #response: ServerResponse | undefined;
  #controller: AbortController | undefined;
  #outgoing: ClientRequest | undefined;
  #admission: Admission | undefined;
  #hasLeft = false;

  constructor(response: ServerResponse) {
    this.#response = response;
    response.on("close", () => this.#over());
  }

  /** Aborts when it leaves before it has its answer. Made when somebody asks for it: most calls do not wait. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#hasLeft) this.#controller.abort(GONE);
    }
    return this.#controller.signal;
  }

  /** Its calls run from now on: their places go back with the answer. */
  passes(admission: Admission | undefined): void {
    this.#admission = admission;
    if (this.#response === undefined) this.#end();
  }

  /** The server behind is asked. @param failed is told when it does not answer, unless the client has gone */
  asks(outgoing: ClientRequest, failed: (error: Error) => void): void {
    this.#outgoing = outgoing;
    outgoing.on("error", (error) => {
      const response = this.#response;
      if (response === undefined) return;
      // In the middle of an answer there is nothing else to say.
      if (response.headersSent) response.destroy();
      else failed(error);
    });
    if (this.#response === undefined) this.#end();
  }

  #over(): void {
    this.#hasLeft = this.#response?.writableFinished === false;
    this.#response = undefined;
    if (this.#hasLeft) this.#controller?.abort(GONE);
    this.#end();
  }

  /** Work of a call whose client has gone may go on: its places are held until their lease ends. */
  #end(): void {
    const [outgoing, admission] = [this.#outgoing, this.#admission];
    this.#outgoing = undefined;
    this.#admission = undefined;
    if (this.#hasLeft) {
      outgoing?.destroy();
      admission?.abandon();
    } else admission?.finish();
  }
}

const GONE = new Error("The client has gone.");
