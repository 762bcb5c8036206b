// Dialogs, the question before an action that cannot be undone, and short messages about what was done.
import { rememberFocus } from "./focus.js";
import { html, useLayoutEffect, useRef, useState } from "./shared/preact.js";
import { t } from "./words.js";

// ---- messages ----

const SECONDS = { success: 2.5, failure: 6 };
const places = []; // functions that render each mounted Toast
let message = null;
let timer = 0;

function show(next) {
  message = next;
  places.forEach((render) => render({}));
}

/** Show a message for a few seconds. */
export function toast(text, kind = "success") {
  clearTimeout(timer);
  timer = setTimeout(() => show(null), SECONDS[kind] * 1000);
  show({ text, kind });
}

/** Shows the messages. Every dialog has one too, and shows them while it is open, as it covers the page. */
export function Toast() {
  const [, render] = useState(null);
  useLayoutEffect(() => {
    places.push(render);
    show(message);
    return () => {
      places.splice(places.indexOf(render), 1);
      show(message);
    };
  }, []);
  const shown = places.at(-1) === render ? message : null;
  return html`<div role="status" aria-live="polite">${shown && html`<div class="toast ${shown.kind}">${shown.text}</div>`}</div>`;
}

/** Run an action and show `success` or its error. Returns whether it succeeded. */
export async function attempt(action, success) {
  try {
    await action();
    if (success) toast(success);
    return true;
  } catch (error) {
    toast(error.message, "failure");
    return false;
  }
}

// ---- dialogs ----

let lastId = 0;

/**
 * Hook: the dialog that is open: [dialog, open]; `dialog` is null or { id, subject, close }, and `open(subject)` opens another.
 * `close` never closes a dialog that was opened later, though it may be called late: after a slow request, or by the
 * event of a browser.
 */
export function useDialog() {
  const [dialog, setDialog] = useState(null);
  const open = (subject) => {
    const opened = { id: ++lastId, subject, close: () => setDialog((current) => (current === opened ? null : current)) };
    setDialog(opened);
    return opened;
  };
  return [dialog, open];
}

/** A modal dialog; closes by Escape, with a question if its content has `changed`. */
export function Dialog({ title, onClose, changed, children }) {
  const dialog = useRef(null);
  useLayoutEffect(() => {
    const returnFocus = rememberFocus();
    return () => queueMicrotask(returnFocus); // until the dialog is removed, nothing outside can have the focus
  }, []);
  useLayoutEffect(() => {
    if (dialog.current.open) dialog.current.querySelector("input, textarea, select, button")?.focus(); // other content
    else dialog.current.showModal();
  }, [title]);
  const isAsking = useRef(false);
  const discard = async () => {
    if (isAsking.current) return;
    isAsking.current = true;
    if (await confirmAction(t("放弃没有保存的内容？"), t("放弃"))) onClose();
    isAsking.current = false;
  };
  const onKeyDown = (event) => { // a browser would let a second Escape in succession close every dialog
    if (event.key !== "Escape" || event.isComposing) return;
    event.preventDefault();
    if (changed) discard();
    else onClose();
  };
  const onCancel = (event) => { // by the back button of a phone
    if (event.target !== dialog.current || !changed) return; // a file input has such an event, too
    event.preventDefault();
    discard();
  };
  const onClosed = () => {
    if (!dialog.current || dialog.current.open) return; // removed, or open again: the event comes later
    if (changed) {
      dialog.current.showModal(); // not every `cancel` can be prevented
      discard();
    } else {
      onClose();
    }
  };
  return html`<dialog ref=${dialog} aria-label=${title} onClose=${onClosed} onCancel=${onCancel}
    onKeyDown=${onKeyDown}>
    <div class="stack"><h2>${title}</h2>${children}</div><${Toast} /></dialog>`;
}

// ---- confirmation ----

let ask = async () => false;
let dismiss = () => {};

/** Ask for confirmation of an action that cannot be undone; resolves to true if confirmed. Cancels an earlier question. */
export const confirmAction = (question, button) => ask(question, button);

/** Cancel the question that is being asked, if any. */
export const dismissConfirmation = () => dismiss();

/** Shows the questions of `confirmAction`. */
export function Confirmation() {
  const [dialog, open] = useDialog();
  ask = (question, button) => {
    dismiss();
    return new Promise((resolve) => {
      const opened = open({ question, button, resolve });
      dismiss = () => { opened.close(); resolve(false); };
    });
  };
  if (!dialog) return null;
  const { question, button, resolve } = dialog.subject;
  const answer = (confirmed) => {
    dialog.close();
    resolve(confirmed);
  };
  return html`<${Dialog} key=${dialog.id} title=${question} onClose=${() => answer(false)}><div class="dialog-buttons">
    <button type="button" class="plain" onClick=${() => answer(false)}>${t("取消")}</button>
    <button type="button" class="plain danger" onClick=${() => answer(true)}>${button}</button></div><//>`;
}
