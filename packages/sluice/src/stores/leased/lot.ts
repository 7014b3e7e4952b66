import { isWithin, type Moment } from "./moment.ts";

/** Units that the store has granted to this process, until a deadline. */
export class Lot {
  /** What undoes the grant, in part or as a whole. */
  readonly receipt: number;
  left: number;
  used: number;
  readonly #asked: Moment;
  readonly #life: number;

  /**
   * @param asked when the grant was asked for: never later than the store's own moment of it
   * @param life how long after that the units may be used, in microseconds
   */
  constructor(receipt: number, left: number, used: number, asked: Moment, life: number) {
    this.receipt = receipt;
    this.left = left;
    this.used = used;
    this.#asked = asked;
    this.#life = life;
  }

  isAlive(now: Moment): boolean {
    return isWithin(this.#life, this.#asked, now);
  }

  take(units: number): number {
    const taken = Math.min(units, this.left);
    this.left -= taken;
    this.used += taken;
    return taken;
  }

  /** Units that a call does not want after all: no more than were used. */
  takeBack(units: number): number {
    const back = Math.min(units, this.used);
    this.left += back;
    this.used -= back;
    return back;
  }
}
