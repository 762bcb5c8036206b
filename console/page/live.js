// Live updates by server-sent events. After a reconnect, the server sends the changes since the last received id.
import { call } from "./api.js";

const MAX_SILENCE = 40_000; // milliseconds; the server sends something every 15 seconds
const CHECK_INTERVAL = 5_000;
const FIRST_DELAY = 500;
const MAX_DELAY = 10_000;

const listeners = new Set();

/** Subscribe to changes { kind, id, … }; kind "reset" = reload everything. Returns a function to unsubscribe. */
export function onChange(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

const publish = (change) => listeners.forEach((listener) => listener(change));

/** The connection to the event stream, with the changes after `lastId`; calls `onState(isConnected)`. */
class Stream {
  #lastId;
  #onState;
  #source = null;
  #timer = 0;
  #delay = FIRST_DELAY;
  #lastHeard = Date.now();
  #closed = false;

  constructor(lastId, onState) {
    this.#lastId = lastId;
    this.#onState = onState;
    this.#connect();
  }

  #connect() {
    this.#lastHeard = Date.now();
    const source = new EventSource(`/console/api/events?after=${this.#lastId}`);
    source.addEventListener("hello", (event) => this.#opened(event));
    source.addEventListener("reset", (event) => { this.#opened(event); publish({ kind: "reset" }); });
    source.addEventListener("alive", () => { this.#lastHeard = Date.now(); });
    source.onmessage = (event) => { this.#received(event); publish(JSON.parse(event.data)); };
    source.onerror = () => this.#lost();
    this.#source = source;
  }

  #received(event) {
    this.#lastId = event.lastEventId;
    this.#lastHeard = Date.now();
  }

  #opened(event) {
    this.#received(event);
    this.#delay = FIRST_DELAY;
    this.#onState(true);
  }

  #lost() {
    this.suspend();
    this.#onState(false);
    this.#timer = setTimeout(() => this.resume(), this.#delay);
    this.#delay = Math.min(this.#delay * 2, MAX_DELAY);
  }

  /** Notice a connection that was lost without an error, as after a phone has slept. */
  check() {
    if (this.#source && Date.now() - this.#lastHeard > MAX_SILENCE) this.#lost();
  }

  suspend() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }

  /** Connect again if the session has not ended; if it has, `call` reports that. */
  async resume() {
    this.suspend();
    try {
      await call("GET", "/session");
    } catch (error) {
      if (!this.#closed && error.status !== 401) this.#lost();
      return;
    }
    if (!this.#closed && !this.#source) this.#connect();
  }

  close() {
    this.#closed = true;
    this.suspend();
  }
}

/** Keep a stream open; returns a function that closes it. */
export function openStream(lastId, onState) {
  const stream = new Stream(lastId, onState);
  const check = () => stream.check();
  const suspend = () => stream.suspend();
  const restore = (event) => { if (event.persisted) stream.resume(); }; // a page from the back-forward cache
  const timer = setInterval(check, CHECK_INTERVAL);
  document.addEventListener("visibilitychange", check);
  addEventListener("pagehide", suspend);
  addEventListener("pageshow", restore);
  return () => {
    clearInterval(timer);
    document.removeEventListener("visibilitychange", check);
    removeEventListener("pagehide", suspend);
    removeEventListener("pageshow", restore);
    stream.close();
  };
}
