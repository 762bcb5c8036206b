// What is said in passing. It stands in the open dialog, if there is one: nothing else is heard then.
import { html } from "../vendor/preact.js";

/** The places of what is said, quiet and alarming. */
export function Toast({ store }) {
  const { toast } = store;
  return html`
    <div class="toasts" role="status" aria-live="polite">${toast && !toast.alert && html`<p class="toast">${toast.text}</p>`}</div>
    <div class="toasts" role="alert">${toast?.alert && html`<p class="toast alert">${toast.text}</p>`}</div>`;
}
