// A small emoji picker.
import { html, useLayoutEffect, useRef } from "../shared/preact.js";

const COLUMNS = 8;
const EMOJI = [..."😀😄😁😂🤣😊😇🙂😉😍😘😋😜🤔🤗🤫😐😏🙄😴😪😷🤒😎🤓😕😟😮😳🥺😢😭😤😡🤯😱🥳🙏👍👎👌✌🤝👏💪👋🙌💯🌹❤💔🎉🎁🎂🍻☕🍉🌞🌙⭐🔥⚡💰🧧🀄"];

/** The grid; arrows move, Enter selects, Escape closes. */
export function EmojiPicker({ onChoose, onClose }) {
  const box = useRef(null);
  useLayoutEffect(() => {
    box.current.querySelector("button").focus();
    const closeOutside = (event) => {
      if (!box.current?.contains(event.target) && !event.target.closest?.("[aria-label=表情]")) onClose();
    };
    document.addEventListener("pointerdown", closeOutside);
    return () => document.removeEventListener("pointerdown", closeOutside);
  }, []);
  const onKeyDown = (event) => {
    if (event.key === "Escape") {
      event.preventDefault();
      return onClose();
    }
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: COLUMNS, ArrowUp: -COLUMNS }[event.key];
    if (!step) return undefined;
    event.preventDefault();
    const buttons = [...box.current.querySelectorAll("button")];
    buttons[buttons.indexOf(document.activeElement) + step]?.focus();
    return undefined;
  };
  return html`
    <div class="emoji" role="group" aria-label="选择表情" ref=${box} onKeyDown=${onKeyDown}>
      ${EMOJI.map((emoji) => html`<button key=${emoji} type="button" onClick=${() => onChoose(emoji)}>${emoji}</button>`)}
    </div>`;
}
