// Toasts. They are placed in the open dialog, if any, because screen readers ignore everything outside it.
import { html } from "../shared/preact.js";

/** Live regions of toasts: polite and assertive. */
export function Toast({ store }) {
  const { toast } = store;
  return html`
    <div class="toasts" role="status" aria-live="polite">${toast && !toast.alert && html`<p class="toast">${toast.text}</p>`}</div>
    <div class="toasts" role="alert">${toast?.alert && html`<p class="toast alert">${toast.text}</p>`}</div>`;
}
