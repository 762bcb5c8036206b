// The composer: text, emoji, mentions, pictures, files and cards.
import { fileBody, sendAll } from "../actions.js";
import { IconButton } from "../icons.js";
import { draftOf, setDraft, update } from "../store.js";
import { html, useEffect, useLayoutEffect, useReducer, useRef, useState } from "../shared/preact.js";
import { EmojiPicker } from "./emoji.js";
import { MentionPicker, mentionAt } from "./mention.js";

const MENTION_END = "\u2005"; // WeChat inserts this character after an @name

/** The composer of the open chat; its draft is kept when another chat is opened. */
export function Composer({ store }) {
  const { chat } = store;
  const { text, files, mentions } = draftOf(chat);
  const [, redraw] = useReducer((count) => count + 1, 0);
  const [picker, setPicker] = useState(null); // "emoji", or { from, word } while a mention is being typed
  const area = useRef(null);
  const caret = useRef(null);
  const members = store.detail?.group?.members.filter((member) => member.id !== store.me.id);

  useEffect(() => { if (matchMedia("(hover: hover)").matches) area.current.focus(); }, []);
  useLayoutEffect(() => {
    const node = area.current;
    node.style.height = "auto";
    node.style.height = `${node.scrollHeight}px`;
    if (caret.current !== null) node.setSelectionRange(caret.current, caret.current);
    caret.current = null;
  }, [text]);

  const change = (changes) => {
    setDraft(chat, changes);
    redraw();
  };
  /** Replace the text in [from, to). */
  const insert = (inserted, from = area.current.selectionStart, to = area.current.selectionEnd) => {
    caret.current = from + inserted.length;
    change({ text: text.slice(0, from) + inserted + text.slice(to) });
    area.current.focus();
  };
  const onInput = (event) => {
    change({ text: event.target.value });
    setPicker(members ? mentionAt(event.target.value, event.target.selectionStart) : null);
  };
  const addMention = (member) => {
    change({ mentions: new Map(mentions).set(`@${member.name}${MENTION_END}`, member.id) });
    insert(`@${member.name}${MENTION_END}`, picker.from, area.current.selectionStart);
    setPicker(null);
  };
  const attach = (list) => change({ files: [...draftOf(chat).files, ...list] });
  const detach = (file) => {
    change({ files: files.filter((other) => other !== file) });
    area.current.focus();
  };
  const submit = async () => {
    change();
    const ids = [...mentions].filter(([mention]) => text.includes(mention)).map(([, id]) => id);
    const bodies = files.map(fileBody);
    if (text.trim()) bodies.push({ text: text.trim(), mentions: ids });
    const unsent = await sendAll(chat, bodies);
    if (unsent.length) putBack(chat, { text, mentions, files: files.slice(bodies.length - unsent.length) });
  };
  const onKeyDown = (event) => {
    if (event.isComposing) return;
    if (event.key === "Escape" && picker) {
      event.preventDefault();
      setPicker(null);
    } else if (event.key === "Enter" && !event.shiftKey && !event.defaultPrevented) {
      event.preventDefault();
      submit();
    }
  };
  const onPaste = (event) => {
    const list = [...event.clipboardData.files];
    if (!list.length) return;
    event.preventDefault();
    attach(list);
  };
  const onDrop = (event) => {
    event.preventDefault();
    attach([...event.dataTransfer.files]);
  };
  const chooseCard = () => update({ dialog: { kind: "card", chat } });

  return html`
    <form class="composer" onSubmit=${(event) => { event.preventDefault(); submit(); }}
      onDragOver=${(event) => event.preventDefault()} onDrop=${onDrop}>
      ${picker === "emoji" && html`<${EmojiPicker} onChoose=${insert} onClose=${() => { setPicker(null); area.current.focus(); }} />`}
      ${picker?.word !== undefined && html`
        <${MentionPicker} key=${picker.word} members=${members} word=${picker.word} area=${area} onChoose=${addMention} />`}
      <div class="tools" role="toolbar" aria-label="发送其他内容">
        <${IconButton} name="emoji" label="表情" expanded=${picker === "emoji"}
          onClick=${() => setPicker(picker === "emoji" ? null : "emoji")} />
        <${FileButton} name="picture" label="图片" accept="image/*" onFiles=${attach} />
        <${FileButton} name="file" label="文件" onFiles=${attach} />
        <${IconButton} name="card" label="名片" onClick=${chooseCard} />
      </div>
      ${files.length > 0 && html`<ul class="attached" aria-label="待发送的文件">
        ${files.map((file) => html`<${Attached} key=${file} file=${file} onRemove=${() => detach(file)} />`)}
      </ul>`}
      <div class="write">
        <textarea ref=${area} rows="1" value=${text} aria-label="输入消息" placeholder=${members ? "输入消息，@ 提到群成员" : "输入消息"}
          onInput=${onInput} onKeyDown=${onKeyDown} onPaste=${onPaste} aria-haspopup=${members ? "listbox" : undefined}></textarea>
        <button class="primary send" type="submit" disabled=${!text.trim() && !files.length}>发送</button>
      </div>
    </form>`;
}

/** Put a draft that was refused back into the composer, before what was entered meanwhile. */
function putBack(chat, { text, files, mentions }) {
  const now = draftOf(chat);
  setDraft(chat, {
    text: [text, now.text].filter(Boolean).join("\n"),
    files: [...files, ...now.files],
    mentions: new Map([...mentions, ...now.mentions]),
  });
  update({});
}

function FileButton({ name, label, accept, onFiles }) {
  const input = useRef(null);
  const chosen = () => {
    onFiles([...input.current.files]);
    input.current.value = "";
  };
  return html`
    <${IconButton} name=${name} label=${label} onClick=${() => input.current.click()} />
    <input ref=${input} type="file" hidden multiple accept=${accept} aria-label=${label} onChange=${chosen} />`;
}

function Attached({ file, onRemove }) {
  const [url, setUrl] = useState("");
  useEffect(() => {
    if (!file.type.startsWith("image/")) return undefined;
    const objectUrl = URL.createObjectURL(file);
    setUrl(objectUrl);
    return () => URL.revokeObjectURL(objectUrl);
  }, [file]);
  return html`
    <li>${url ? html`<img src=${url} alt=${file.name} />` : html`<span>${file.name}</span>`}
      <${IconButton} name="close" label="不发送${file.name}" onClick=${onRemove} /></li>`;
}
