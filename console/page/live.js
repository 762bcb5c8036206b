// What changes meanwhile. Each event has an id: after a break the browser gives the last one back and is told the rest.
const listeners = new Set();
let source = null;

/** Hear every change { kind, id, … }; kind "reset": read everything again. Returns how to stop. */
export function onChange(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

const tell = (change) => listeners.forEach((listener) => listener(change));

/** Listen as long as the page lives; `onState(live)`. */
export function listen(onState) {
  if (source) return;
  let last = "";
  let wait = 500;
  const start = () => {
    source = new EventSource(`/console/api/events${last ? `?after=${last}` : ""}`);
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
