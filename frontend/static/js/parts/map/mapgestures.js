// What hands do on the map: dragging, wheels, two fingers and keys, told apart and passed on.

const SLIP = 4; // pixels that a click may move
const WHEEL = 0.0015; // closer by so much for each pixel of a wheel
const STEP = 1.5; // by a key
const PUSH = 70; // pixels by an arrow

const KEYS = {
  ArrowLeft: (on) => on.pan(PUSH, 0),
  ArrowRight: (on) => on.pan(-PUSH, 0),
  ArrowUp: (on) => on.pan(0, PUSH),
  ArrowDown: (on) => on.pan(0, -PUSH),
  "+": (on) => on.closer(STEP),
  "=": (on) => on.closer(STEP),
  "-": (on) => on.closer(1 / STEP),
  0: (on) => on.all(),
  Enter: (on) => on.open(),
  Escape: (on) => on.leave(),
};

/**
 * @typedef {object} Handlers
 * @property {(dx: number, dy: number) => void} pan
 * @property {(factor: number, x?: number, y?: number) => void} closer around a pixel, else around the middle
 * @property {() => void} all
 * @property {(x: number, y: number, event: PointerEvent) => void} tap
 * @property {(x: number, y: number) => void} hover
 * @property {() => void} leave
 * @property {() => void} open
 * @property {() => void} keyed after a key was used
 * @property {() => boolean} draws whether dragging draws a lasso
 * @property {(x: number, y: number) => void} draw the lasso's next corner
 * @property {() => void} drawn
 */

/** Watches the canvas. @param {HTMLCanvasElement} canvas @param {Handlers} on */
export function watchGestures(canvas, on) {
  new Gestures(canvas, on);
}

class Gestures {
  #canvas;
  #on;
  /** @type {Map<number, {x: number, y: number}>} where fingers or the mouse press */
  #pressed = new Map();
  #moved = 0;
  #drawing = false;

  constructor(canvas, on) {
    [this.#canvas, this.#on] = [canvas, on];
    canvas.addEventListener("pointerdown", (event) => this.#press(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", (event) => this.#release(event));
    canvas.addEventListener("pointercancel", (event) => this.#release(event, true));
    canvas.addEventListener("pointerleave", ({ pointerType }) => pointerType === "mouse" && !this.#pressed.size && on.leave()); // a finger that is lifted leaves, too
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  #at({ clientX, clientY }) {
    const { left, top } = this.#canvas.getBoundingClientRect();
    return { x: clientX - left, y: clientY - top };
  }

  #press(event) {
    if (event.button) return;
    this.#canvas.setPointerCapture(event.pointerId);
    this.#pressed.set(event.pointerId, this.#at(event));
    this.#moved = this.#pressed.size > 1 ? Infinity : 0; // two fingers never tap
    this.#drawing = this.#pressed.size === 1 && (event.shiftKey || this.#on.draws());
    if (this.#drawing) this.#draw(event);
  }

  #move(event) {
    const before = this.#pressed.get(event.pointerId);
    const now = this.#at(event);
    if (!before) return this.#on.hover(now.x, now.y);
    this.#moved += Math.hypot(now.x - before.x, now.y - before.y);
    if (this.#drawing) this.#draw(event);
    else if (this.#pressed.size === 2) this.#pinch(event.pointerId, before, now);
    else if (this.#moved > SLIP) this.#on.pan(now.x - before.x, now.y - before.y);
    this.#pressed.set(event.pointerId, now);
  }

  #draw(event) {
    const { x, y } = this.#at(event);
    this.#on.draw(x, y);
  }

  /** The middle between the fingers stays under them. */
  #pinch(moving, before, now) {
    const [, other] = [...this.#pressed].find(([id]) => id !== moving);
    const middle = { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 };
    this.#on.pan((now.x - before.x) / 2, (now.y - before.y) / 2);
    const apart = (one) => Math.max(Math.hypot(one.x - other.x, one.y - other.y), 1);
    this.#on.closer(apart(now) / apart(before), middle.x, middle.y);
  }

  #release(event, cancelled = false) {
    if (!this.#pressed.delete(event.pointerId)) return;
    if (this.#drawing) this.#on.drawn(cancelled);
    else if (!cancelled && this.#moved <= SLIP && !this.#pressed.size) this.#on.tap(this.#at(event).x, this.#at(event).y, event);
    this.#drawing = false;
  }

  #wheel(event) {
    event.preventDefault();
    const pixels = event.deltaMode ? 20 * event.deltaY : event.deltaY;
    const { x, y } = this.#at(event);
    this.#on.closer(Math.exp(-WHEEL * pixels), x, y);
  }

  #key(event) {
    if (!(event.key in KEYS) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    KEYS[event.key](this.#on);
    this.#on.keyed(event.key);
  }
}
