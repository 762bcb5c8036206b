// What was typed and is not saved yet: shown at the edge of every page, and asked about before it is left.
import { useEffect, useLayoutEffect, useState } from "./shared/preact.js";

const unsaved = new Map();
const listeners = new Set();
let last = 0;

const tell = () => listeners.forEach((listener) => listener(unsaved.size));

/** Say that a form has changes, as long as it has and is there. */
export function useUnsaved(changed) {
  const [id] = useState(() => ++last);
  useEffect(() => {
    if (changed) unsaved.set(id, true);
    else unsaved.delete(id);
    tell();
    return () => { unsaved.delete(id); tell(); };
  }, [changed]);
}

/** How many forms have changes. */
export function useUnsavedCount() {
  const [count, setCount] = useState(unsaved.size);
  useLayoutEffect(() => { // an effect would run a frame later and miss the changes until then
    listeners.add(setCount);
    setCount(unsaved.size);
    return () => listeners.delete(setCount);
  }, []);
  return count;
}

export const hasUnsaved = () => unsaved.size > 0;

addEventListener("beforeunload", (event) => { if (hasUnsaved()) event.preventDefault(); });
