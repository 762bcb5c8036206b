// Hooks that load data and keep it up to date.
import { call, isTemporary, query } from "./api.js";
import { onChange } from "./live.js";
import { useLayoutEffect, useMemo, useRef, useState } from "./shared/preact.js";

const RETRY_DELAY = 5_000; // milliseconds
const PAGE_SIZE = 50;
const MAX_LIMIT = 200; // rows per request

/** Reads data one request at a time. A reload that is requested during a read begins after it, once for all requests. */
class Reader {
  #read;
  #publish;
  #running = null;
  #next = null;
  #timer = 0;
  #closed = false;

  /** `publish` receives { data } or { error } of every read. */
  constructor(read, publish) {
    this.#read = read;
    this.#publish = publish;
  }

  /** Read what is current now; resolves to null or to the error. */
  reload = () => {
    if (!this.#running) return this.#start();
    this.#next ??= this.#running.then(() => {
      this.#next = null;
      return this.#start();
    });
    return this.#next;
  };

  #start() {
    clearTimeout(this.#timer);
    const running = this.#readOnce().then((error) => {
      if (this.#running === running) this.#running = null;
      return error;
    });
    this.#running = running;
    return running;
  }

  async #readOnce() {
    if (this.#closed) return null;
    try {
      const data = await this.#read();
      if (!this.#closed) this.#publish({ data, error: null });
      return null;
    } catch (error) {
      if (this.#closed) return error;
      this.#publish({ error });
      if (isTemporary(error)) this.#timer = setTimeout(this.reload, RETRY_DELAY);
      return error;
    }
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
  }
}

function useReader(path, read, concerns) {
  const [state, setState] = useState({ path: "", data: null, error: null });
  const reader = useMemo(() => new Reader(read, (result) => setState((before) =>
    ({ path, data: before.path === path ? before.data : null, ...result }))), [path]);
  const isConcerned = useRef(concerns);
  isConcerned.current = concerns;
  useLayoutEffect(() => {
    reader.reload();
    const unsubscribe = onChange((change) => {
      if (change.kind === "reset" || isConcerned.current?.(change)) reader.reload();
    });
    return () => { unsubscribe(); reader.close(); };
  }, [reader]);
  const isCurrent = state.path === path;
  return { data: isCurrent ? state.data : null, error: isCurrent ? state.error : null, loading: !isCurrent, reload: reader.reload };
}

/**
 * Data of a path: { data, error, loading, reload }. It is reloaded when the path changes, when `concerns` accepts a change,
 * and some time after a temporary error.
 */
export function useLoad(path, concerns) {
  return useReader(path, () => call("GET", path), concerns);
}

async function readRows(path, name, count) {
  const rows = new Map(); // by id: a row may move from one page to the next between two requests
  const separator = path.includes("?") ? "&" : "?";
  let after = "";
  do {
    const range = query({ limit: Math.min(count - rows.size, MAX_LIMIT), after }).slice(1);
    const page = await call("GET", `${path}${separator}${range}`);
    for (const row of page[name]) rows.set(row.id ?? row.number, row);
    after = page.next;
  } while (after && rows.size < count);
  return { rows: [...rows.values()], next: after };
}

/**
 * A paginated list: { rows, error, loading, reload, more }. `more` shows another page, or throws; it is null at the end.
 * A reload reads all pages that are shown.
 */
export function useList(path, name, concerns) {
  const wanted = useMemo(() => ({ count: PAGE_SIZE }), [path]);
  const list = useReader(path, () => readRows(path, name, wanted.count), concerns);
  const more = async () => {
    wanted.count = list.data.rows.length + PAGE_SIZE;
    const error = await list.reload();
    if (!error) return;
    wanted.count -= PAGE_SIZE;
    throw error;
  };
  return { ...list, rows: list.data?.rows ?? [], more: list.data?.next ? more : null };
}
