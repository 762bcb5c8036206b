// The forms with changes that are not saved: every page shows that there are some, and asks before it is left.
import { useLayoutEffect, useState } from "./shared/preact.js";

const forms = new Set(); // ids of those with changes
const listeners = new Set();
let lastId = 0;

const notify = () => listeners.forEach((listener) => listener(forms.size));

/** Hook: a form has changes, until it has none or is removed. */
export function useUnsaved(changed) {
  const [id] = useState(() => ++lastId);
  useLayoutEffect(() => {
    if (!changed) return undefined;
    forms.add(id);
    notify();
    return () => { forms.delete(id); notify(); };
  }, [changed]);
}

/** Hook: the number of forms with changes. */
export function useUnsavedCount() {
  const [count, setCount] = useState(forms.size);
  useLayoutEffect(() => { // an effect would run a frame later and miss the changes until then
    listeners.add(setCount);
    setCount(forms.size);
    return () => listeners.delete(setCount);
  }, []);
  return count;
}

export const hasUnsaved = () => forms.size > 0;

addEventListener("beforeunload", (event) => { if (hasUnsaved()) event.preventDefault(); });
