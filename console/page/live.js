// Live updates. Each event has an id: after a reconnect the browser sends the last one and receives the missed events.
const listeners = new Set();
let source = null;

/** Subscribe to changes { kind, id, … }; kind "reset" = reload everything. Returns a function to unsubscribe. */
export function onChange(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

const tell = (change) => listeners.forEach((listener) => listener(change));

/** Keep the connection open while the page is open, with the changes after the id `last`; calls `onState(live)`. */
export function listen(last, onState) {
  if (source) return;
  let wait = 500;
  const start = () => {
    source = new EventSource(`/console/api/events?after=${last}`);
    source.addEventListener("hello", (event) => { last = event.lastEventId; wait = 500; onState(true); });
    source.addEventListener("reset", (event) => { last = event.lastEventId; wait = 500; onState(true); tell({ kind: "reset" }); });
    source.onmessage = (event) => { last = event.lastEventId; tell(JSON.parse(event.data)); };
    source.onerror = () => {
      source.close();
      onState(false);
      setTimeout(start, wait);
      wait = Math.min(wait * 2, 10000);
    };
  };
  start();
}
