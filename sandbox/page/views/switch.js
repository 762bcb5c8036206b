// A toggle switch.
import { html, useState } from "../shared/preact.js";

/** A labelled switch. It shows the new position until the promise of `onChange` settles. */
export function Switch({ label, hint, checked, disabled, onChange }) {
  const [wish, setWish] = useState(null);
  const change = async (event) => {
    setWish(event.target.checked);
    await onChange(event.target.checked);
    setWish(null);
  };
  return html`
    <label class="switch-line"><span>${label}${hint && html`<small>${hint}</small>`}</span>
      <input type="checkbox" role="switch" checked=${wish ?? checked} disabled=${disabled} onChange=${change} /></label>`;
}
