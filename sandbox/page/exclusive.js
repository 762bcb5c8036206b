// Actions that must not run twice at the same time, for example after a double click.
import { useRef } from "./shared/preact.js";

/** Hook: the action; calls while it is running are ignored. Its button is not disabled, which would take the focus from it. */
export function useExclusive(action) {
  const running = useRef(false);
  return async (...args) => {
    if (running.current) return;
    running.current = true;
    try {
      await action(...args);
    } finally {
      running.current = false;
    }
  };
}

/** Hook: the handler of a form's submit event that runs the action. */
export function useSubmit(action) {
  const run = useExclusive(action);
  return (event) => {
    event.preventDefault();
    run();
  };
}
