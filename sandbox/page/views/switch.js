// A toggle switch.
import { html, useRef, useState } from "../shared/preact.js";

/** A labelled switch. It shows the new position until the promise of the last `onChange` settles. */
export function Switch({ label, hint, checked, disabled, onChange }) {
  const [wish, setWish] = useState(null);
  const count = useRef(0);
  const change = async (event) => {
    const number = ++count.current;
    setWish(event.target.checked);
    await onChange(event.target.checked);
    if (number === count.current) setWish(null);
  };
  return html`
    <label class="switch-line"><span>${label}${hint && html`<small>${hint}</small>`}</span>
      <input type="checkbox" role="switch" checked=${wish ?? checked} disabled=${disabled} onChange=${change} /></label>`;
}
