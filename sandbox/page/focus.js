// The keyboard focus.
import { useLayoutEffect } from "./shared/preact.js";

/** Hook: when the component is removed while it has the focus, give it back to the element that had it before. */
export function useReturnFocus() {
  useLayoutEffect(() => {
    const before = document.activeElement;
    const giveBack = () => document.activeElement === document.body && before?.isConnected && before.focus();
    return () => queueMicrotask(giveBack); // until the component is removed, a modal dialog keeps the focus inside
  }, []);
}
