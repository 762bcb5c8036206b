// Completion of mentions.
import { html, useEffect, useLayoutEffect, useState } from "../shared/preact.js";

const MAX_SHOWN = 50;

/** The mention being typed at the caret: { from, word }, or null. */
export function mentionAt(text, caret) {
  const from = text.lastIndexOf("@", caret - 1);
  const word = text.slice(from + 1, caret);
  return from >= 0 && !/\s/.test(word) && word.length <= 20 ? { from, word } : null;
}

/** The group members whose names match; arrows and Enter in the text area select. */
export function MentionPicker({ members, word, area, onChoose }) {
  const [index, setIndex] = useState(0);
  const matching = members.filter((member) => member.name.toLowerCase().includes(word.toLowerCase())).slice(0, MAX_SHOWN);
  const at = Math.min(index, matching.length - 1);
  useLayoutEffect(() => {
    const node = area.current;
    const onKeyDown = (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!matching.length || event.isComposing || (!step && event.key !== "Enter" && event.key !== "Tab")) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      if (step) setIndex((at + step + matching.length) % matching.length);
      else onChoose(matching[at]);
    };
    node.addEventListener("keydown", onKeyDown, true);
    if (matching.length) node.setAttribute("aria-activedescendant", `mention-${at}`); // so that screen readers read the selection
    return () => {
      node.removeEventListener("keydown", onKeyDown, true);
      node.removeAttribute("aria-activedescendant");
    };
  });
  useEffect(() => document.getElementById(`mention-${at}`)?.scrollIntoView({ block: "nearest" }), [at]);
  if (!matching.length) return null;
  return html`
    <ul class="mentions" role="listbox" aria-label="选择要提到的人">
      ${matching.map((member, position) => html`
        <li key=${member.id} id="mention-${position}" role="option" aria-selected=${position === at}
          onPointerDown=${(event) => { event.preventDefault(); onChoose(member); }}>
          <img class="avatar" src=${member.avatar} alt="" />${member.name}
        </li>`)}
    </ul>`;
}
