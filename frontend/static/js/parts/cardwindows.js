// What a long list holds, asked for in windows: those in sight, a few kept, and whatever went out of sight given up.
import { isAbort } from "../status.js";

/** Entries of one answer from the server. */
export const WINDOW = 24;
const KEPT = 40;

/** The windows of a list, by number: number 2 begins at entry 48. */
export class CardWindows {
  #ask;
  #arrived;
  #failed;
  /** @type {Map<number, object>} the answers, those used last at the end */
  #answers = new Map();
  /** @type {Map<number, AbortController>} */
  #asked = new Map();

  /**
   * @param {(start: number, limit: number, signal: AbortSignal) => Promise<{latents: object[], total: number}>} ask
   * @param {(answer: object) => void} arrived after an answer can be looked up
   * @param {(error: Error) => void} failed its window can be wanted again
   */
  constructor(ask, arrived, failed) {
    [this.#ask, this.#arrived, this.#failed] = [ask, arrived, failed];
  }

  /** What stands at a position. @returns {{entry: object, answer: object} | null} null: not known yet */
  at(position) {
    const answer = this.#answers.get(numberOf(position));
    const entry = answer?.latents[position % WINDOW];
    return entry ? { entry, answer } : null;
  }

  /** Asks for the windows of these positions that are not there, and gives up all others. @param {Iterable<number>} positions */
  want(positions) {
    const wanted = new Set([...positions].map(numberOf));
    this.giveUp(wanted);
    for (const number of wanted) {
      if (this.#answers.has(number)) this.#keep(number, this.#answers.get(number));
      else if (!this.#asked.has(number)) this.#load(number);
    }
  }

  /** Gives up what is asked for. @param {Set<number>} [except] windows */
  giveUp(except = new Set()) {
    for (const [number, request] of this.#asked) {
      if (except.has(number)) continue;
      request.abort();
      this.#asked.delete(number);
    }
  }

  /** Forgets all, and asks for the window of one position anew. */
  startAgain(position) {
    this.giveUp();
    this.#answers.clear();
    this.#load(numberOf(position));
  }

  async #load(number) {
    const request = new AbortController();
    this.#asked.set(number, request);
    try {
      const answer = await this.#ask(number * WINDOW, WINDOW, request.signal);
      if (request.signal.aborted) return;
      this.#asked.delete(number);
      this.#keep(number, answer);
      this.#arrived(answer);
    } catch (error) {
      if (request.signal.aborted || isAbort(error)) return;
      this.#asked.delete(number);
      this.#failed(error);
    }
  }

  #keep(number, answer) {
    this.#answers.delete(number);
    this.#answers.set(number, answer);
    if (this.#answers.size > KEPT) this.#answers.delete(this.#answers.keys().next().value);
  }
}

function numberOf(position) {
  return Math.floor(position / WINDOW);
}
