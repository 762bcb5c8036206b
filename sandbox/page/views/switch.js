// A switch as on a phone.
import { html } from "../vendor/preact.js";

/** A labelled switch. */
export function Switch({ label, hint, checked, onChange }) {
  return html`
    <label class="switch-line"><span>${label}${hint && html`<small>${hint}</small>`}</span>
      <input type="checkbox" role="switch" checked=${checked} onChange=${(event) => onChange(event.target.checked)} /></label>`;
}
