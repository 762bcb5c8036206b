// Completion of mentions.
import { html, useEffect, useLayoutEffect, useState } from "../shared/preact.js";

const MOST = 50;

/** The mention being typed at the caret: { from, word }, or null. */
export function asked(text, caret) {
  const from = text.lastIndexOf("@", caret - 1);
  const word = text.slice(from + 1, caret);
  return from >= 0 && !/\s/.test(word) && word.length <= 20 ? { from, word } : null;
}

/** The group members whose names match; arrows and Enter in the text area select. */
export function MentionPicker({ members, word, area, onChoose }) {
  const [index, setIndex] = useState(0);
  const fitting = members.filter((one) => one.name.toLowerCase().includes(word.toLowerCase())).slice(0, MOST);
  const at = Math.min(index, fitting.length - 1);
  useLayoutEffect(() => {
    const node = area.current;
    const keys = (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!fitting.length || event.isComposing || (!step && event.key !== "Enter" && event.key !== "Tab")) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      if (step) setIndex((at + step + fitting.length) % fitting.length);
      else onChoose(fitting[at]);
    };
    node.addEventListener("keydown", keys, true);
    if (fitting.length) node.setAttribute("aria-activedescendant", `mention-${at}`); // so that screen readers read the selection
    return () => {
      node.removeEventListener("keydown", keys, true);
      node.removeAttribute("aria-activedescendant");
    };
  });
  useEffect(() => document.getElementById(`mention-${at}`)?.scrollIntoView({ block: "nearest" }), [at]);
  if (!fitting.length) return null;
  return html`
    <ul class="mentions" role="listbox" aria-label="选择要提到的人">
      ${fitting.map((one, place) => html`
        <li key=${one.id} id="mention-${place}" role="option" aria-selected=${place === at}
          onPointerDown=${(event) => { event.preventDefault(); onChoose(one); }}>
          <img class="avatar" src=${one.avatar} alt="" />${one.name}
        </li>`)}
    </ul>`;
}
