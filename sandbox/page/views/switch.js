// A toggle switch.
import { html, useRef, useState } from "../shared/preact.js";

/** A labelled switch. It shows the new position until the promise of the last `onChange` settles. */
export function Switch({ label, hint, checked, disabled, onChange }) {
  const [wanted, setWanted] = useState(null);
  const count = useRef(0);
  const change = async (event) => {
    const number = ++count.current;
    setWanted(event.target.checked);
    await onChange(event.target.checked);
    if (number === count.current) setWanted(null);
  };
  return html`
    <label class="switch-line"><span>${label}${hint && html`<small>${hint}</small>`}</span>
      <input type="checkbox" role="switch" checked=${wanted ?? checked} disabled=${disabled} onChange=${change} /></label>`;
}
