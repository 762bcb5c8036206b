// Where the keyboard focus goes when the element that has it is removed.

/** Remember an element; the returned function focuses it, or if it is gone, what remains of the elements around it. */
export function rememberFocus(element = document.activeElement) {
  const candidates = [];
  for (let node = element; node && node !== document.body; node = node.parentElement) candidates.push(node);
  return () => {
    const nothingHasFocus = () => !document.activeElement || document.activeElement === document.body;
    for (const node of [...candidates.filter((each) => each.isConnected), document.querySelector("main")]) {
      if (!nothingHasFocus()) return;
      node?.focus({ preventScroll: true });
    }
  };
}

/** Call when an element is about to be removed. */
export function passFocusOn(element) {
  if (document.activeElement === element) queueMicrotask(rememberFocus(element));
}
