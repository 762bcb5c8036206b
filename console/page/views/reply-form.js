// The form for replies to the customer and internal notes; tells the other agents that this one views the ticket or types.
import { RequestKeys, base64, call, fileIdentity } from "../api.js";
import { attempt } from "../dialogs.js";
import { useLoad } from "../load.js";
import { html, useEffect, useRef, useState } from "../shared/preact.js";
import { ActionSelect, Button, useAction } from "../ui.js";
import { t } from "../words.js";

const VIEWING_INTERVAL = 9_000; // milliseconds; the server forgets a viewer after 20 seconds
const REPEAT_AFTER = 8_000;

const drafts = new Map(); // { text, isNote } by ticket, so that they survive a look at another ticket
const EMPTY = { text: "", isNote: false };

/** Hook: a function that tells the server what this agent does at a ticket: "viewing" or "writing". */
function usePresence(id) {
  const sent = useRef({ doing: "", at: 0 });
  const announce = (doing) => {
    const { current } = sent;
    if (current.doing === "left" || (current.doing === doing && Date.now() - current.at < REPEAT_AFTER)) return;
    sent.current = { doing, at: Date.now() };
    call("POST", `/ticket/${id}/presence`, { doing }).catch(() => {}); // it is repeated
  };
  useEffect(() => {
    announce("viewing");
    const timer = setInterval(() => { if (!document.hidden) announce("viewing"); }, VIEWING_INTERVAL);
    return () => { clearInterval(timer); announce("left"); };
  }, []);
  return announce;
}

/** `followsEnd`: a ref, set to true so that the conversation shows what was sent. */
export function ReplyForm({ id, isClosed, reload, followsEnd }) {
  const [draft, setDraft] = useState(() => drafts.get(id) ?? EMPTY);
  const [keys] = useState(() => new RequestKeys());
  const form = useRef(null);
  const announce = usePresence(id);
  const change = (values) => {
    const next = { ...(drafts.get(id) ?? EMPTY), ...values };
    drafts.set(id, next);
    setDraft(next);
  };
  // What is typed at a closed ticket is a note and stays one if the ticket is opened meanwhile.
  const type = (text) => {
    change(isClosed ? { text, isNote: true } : { text });
    if (text) announce("writing");
  };
  const isNote = draft.isNote || isClosed;
  const sent = async () => {
    announce("viewing");
    followsEnd.current = true;
    await reload();
  };
  const [send] = useAction(async () => {
    const { text } = draft;
    if (!text.trim()) return;
    const post = () => (isNote ? call("POST", `/ticket/${id}/note`, { text })
      : call("POST", `/ticket/${id}/reply`, { key: keys.of(text), text }));
    if (!(await attempt(post))) return;
    keys.forget(text);
    const current = drafts.get(id).text; // with what was typed meanwhile
    const rest = current.startsWith(text) ? current.slice(text.length) : current;
    change(isClosed && !rest ? EMPTY : { text: rest });
    if (form.current?.contains(document.activeElement)) form.current.querySelector("textarea").focus();
    await sent();
  });
  const attach = (file) => attempt(async () => {
    const kind = file.type.startsWith("image/") ? "image" : "file";
    const identity = JSON.stringify(fileIdentity(file));
    const content = { name: file.name, base64: await base64(file) };
    await call("POST", `/ticket/${id}/reply`, { key: keys.of(identity), [kind]: content });
    keys.forget(identity);
    await sent();
  });
  const onKeyDown = (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    send();
  };
  return html`<div ref=${form} class=${`reply-form ${isNote ? "is-note" : ""}`}>
    <textarea aria-label=${isNote ? t("备注") : t("回复")} value=${draft.text}
      placeholder=${isNote ? t("只有同事看得到") : t("回复客户，Ctrl+Enter 发送")}
      onInput=${(event) => type(event.target.value)} onKeyDown=${onKeyDown}></textarea>
    <div class="row wrap">
      <label class="row"><input type="checkbox" checked=${isNote} disabled=${isClosed}
        onChange=${(event) => change({ isNote: event.target.checked })} />${t("写备注")}</label>
      ${!isNote && html`<${Attachment} attach=${attach} /><${CannedReplies} insert=${(text) => type(draft.text + text)} />`}
      <span class="grow"></span>
      <${Button} kind="main" onClick=${send} disabled=${!draft.text.trim()}>${isNote ? t("保存备注") : t("发送")}<//>
    </div></div>`;
}

function Attachment({ attach }) {
  const input = useRef(null);
  const [run, isRunning] = useAction(attach);
  const choose = (event) => {
    const [file] = event.target.files;
    event.target.value = ""; // so that the same file can be chosen again
    if (file) run(file);
  };
  return html`<button type="button" class="plain slim" aria-busy=${isRunning} aria-disabled=${isRunning}
      onClick=${() => isRunning || input.current.click()}>${t("图片或文件")}</button>
    <input type="file" hidden ref=${input} onChange=${choose} aria-label=${t("图片或文件")} />`;
}

function CannedReplies({ insert }) {
  const replies = useLoad("/canned").data?.canned ?? [];
  if (!replies.length) return null;
  const choose = (chosen) => insert(replies.find(({ name }) => name === chosen).text);
  return html`<${ActionSelect} label=${t("快捷回复")} hint=${t("快捷回复…")} options=${replies.map(({ name }) => [name, name])}
    onChoose=${choose} />`;
}
