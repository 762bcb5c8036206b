// Buttons that show an icon.
import { Icon } from "./shared/icons.js";
import { html } from "./shared/preact.js";

export { Icon };

/** A button with only an icon; its name is the label for screen readers. */
export function IconButton({ name, label, pressed, expanded, onClick, className = "", ...more }) {
  return html`<button type="button" class="icon-button ${className}" aria-label=${label} title=${label}
    aria-pressed=${pressed} aria-expanded=${expanded} onClick=${onClick} ...${more}><${Icon} name=${name} /></button>`;
}
