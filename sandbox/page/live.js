// The event stream. Browsers allow six connections per host for all tabs together, and a stream holds one permanently:
// so at most three tabs keep theirs while hidden, and the others listen only while they are visible.
const SLOTS = ["sandbox-stream-1", "sandbox-stream-2", "sandbox-stream-3"];
const FIRST_WAIT = 500;
const LONGEST_WAIT = 10000;

/** Listen to `url()`; calls onOpen after every (re)connection and onItem for each item. Returns { restart, close }. */
export function listen(url, { onOpen, onItem, onLost }) {
  let source = null;
  let timer = 0;
  let wait = FIRST_WAIT;
  let hasSlot = false;
  let closed = false;

  const stop = () => {
    clearTimeout(timer);
    source?.close();
    source = null;
  };
  const start = () => {
    stop();
    if (closed || (document.hidden && !hasSlot)) return;
    source = new EventSource(url());
    source.onopen = () => {
      wait = FIRST_WAIT;
      onOpen();
    };
    source.onmessage = (event) => onItem(JSON.parse(event.data));
    source.onerror = () => {
      stop();
      onLost();
      timer = setTimeout(start, wait);
      wait = Math.min(wait * 2, LONGEST_WAIT);
    };
  };
  const resume = () => {
    if (document.hidden && !hasSlot) stop();
    else if (!source) start();
  };

  takeSlot(() => {
    hasSlot = true;
    resume(); // the tab may have been opened in the background
  });
  document.addEventListener("visibilitychange", resume);
  addEventListener("online", resume);
  start();
  return {
    restart: start,
    close() {
      closed = true;
      stop();
      document.removeEventListener("visibilitychange", resume);
      removeEventListener("online", resume);
    },
  };
}

/** Hold one of the slots while the tab is open, if one is free. */
async function takeSlot(onAcquired) {
  for (const name of navigator.locks ? SLOTS : []) {
    const acquired = await new Promise((resolve) => {
      navigator.locks.request(name, { ifAvailable: true }, (lock) => {
        resolve(lock !== null);
        return lock && new Promise(() => {});
      });
    });
    if (acquired) return onAcquired();
  }
  return undefined;
}
