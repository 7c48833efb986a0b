// Work that a moving control asks for again and again: done at a pace that page and server keep up with.

const SLOWEST_MS = 1000;
const SLACK = 1.5; // a task that the next one cut short would have taken longer: without it none would end on a slow server

/** Runs the newest of the tasks that it is given, and again no sooner than the last one took. */
export class Pace {
  #pause;
  #least;
  #timer = 0;
  #task = null;

  /** @param {number} milliseconds the least pause between two tasks */
  constructor(milliseconds) {
    this.#pause = this.#least = milliseconds;
  }

  /** Asks for a task; one that was asked for before and has not begun is forgotten. @param {() => Promise<void>} task */
  soon(task) {
    this.#task = task;
    this.#timer ||= setTimeout(() => this.#run(), this.#pause);
  }

  /** Forgets what has not begun. */
  cancel() {
    clearTimeout(this.#timer);
    [this.#timer, this.#task] = [0, null];
  }

  async #run() {
    const task = this.#task;
    [this.#timer, this.#task] = [0, null];
    const begun = performance.now();
    await task();
    this.#pause = Math.min(Math.max(SLACK * (performance.now() - begun), this.#least), SLOWEST_MS);
  }
}
