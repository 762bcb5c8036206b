// One message: a bubble or a system message.
import { useExclusive } from "../exclusive.js";
import { answerConfirmation, recall, acceptInvitation } from "../actions.js";
import { IconButton } from "../icons.js";
import { remarkOf, toast, update } from "../store.js";
import { html, useLayoutEffect, useRef, useState } from "../shared/preact.js";
import { copy } from "../words.js";
import { CONTENT } from "./content.js";

const RECALL_SECONDS = 120;

/** A message of any kind. */
export function Message({ store, message }) {
  if (message.kind === "note") return html`<p class="note">${message.text}</p>`;
  if (message.kind === "confirmation") return html`<${Confirmation} message=${message} />`;
  if (message.kind === "recalled" || message.recalled) {
    return html`<p class="note">${message.mine ? "你" : `“${message.name}”`}撤回了一条消息</p>`;
  }
  return html`<${Bubble} store=${store} message=${message} />`;
}

function Bubble({ store, message }) {
  const Content = CONTENT[message.kind] ?? CONTENT.text;
  const inGroup = store.detail?.room && !message.mine;
  const accept = useExclusive(() => acceptInvitation(message));
  const profile = () => update({ dialog: { kind: "profile", id: message.sender } });
  return html`
    <article class="message ${message.mine ? "mine" : ""}" aria-label="${message.mine ? "我" : message.name}说">
      <button type="button" class="avatar-button" aria-label="${message.name}的资料" onClick=${profile}>
        <img class="avatar" src=${message.avatar} alt="" />
      </button>
      <div class="message-body">
        ${inGroup && html`<span class="speaker">${remarkOf(message.sender) || message.name}</span>`}
        <div class="bubble-line">
          <${Content} store=${store} message=${message} onTap=${accept} />
          <${Menu} message=${message} />
        </div>
      </div>
    </article>`;
}

function Confirmation({ message }) {
  const { state } = message.data;
  const answer = useExclusive((approve) => answerConfirmation(message, approve));
  return html`
    <div class="note">
      <p>${message.text}</p>
      ${state === "open"
        ? html`<span class="note-buttons">
            <button type="button" class="primary small" onClick=${() => answer(true)}>同意</button>
            <button type="button" class="small" onClick=${() => answer(false)}>拒绝</button></span>`
        : html`<p>（${state === "approved" ? "已同意" : "已拒绝"}）</p>`}
    </div>`;
}

/** The menu of a message: copy, recall. */
function Menu({ message }) {
  const [open, setOpen] = useState(false);
  const root = useRef(null);
  useLayoutEffect(() => {
    if (!open) return undefined;
    root.current.querySelector(".menu button")?.focus();
    const closeOutside = (event) => !root.current?.contains(event.target) && setOpen(false);
    document.addEventListener("pointerdown", closeOutside);
    return () => document.removeEventListener("pointerdown", closeOutside);
  }, [open]);
  const isFresh = message.mine && Date.now() / 1000 - message.at < RECALL_SECONDS;
  if (!message.text && !isFresh) return null;
  const close = () => {
    setOpen(false);
    root.current.querySelector("button").focus(); // the one that opens the menu
  };
  const choose = (action) => () => {
    close();
    action();
  };
  const onKeyDown = (event) => {
    if (event.key !== "Escape" || !open) return;
    event.stopPropagation();
    close();
  };
  return html`
    <span class="more" ref=${root} onKeyDown=${onKeyDown}>
      <${IconButton} name="more" label="更多操作" expanded=${open} onClick=${() => setOpen(!open)} />
      ${open && html`<span class="menu" role="group" aria-label="消息操作">
        ${message.text && html`<button type="button" onClick=${choose(() => copy(message.text).then(() => toast("已复制")))}>复制</button>`}
        ${isFresh && html`<button type="button" onClick=${choose(() => recall(message))}>撤回</button>`}
      </span>`}
    </span>`;
}
