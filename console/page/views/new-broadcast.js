// A new broadcast: what, to whom, when; shown as it will be before it is sent.
import { base64, call, newKey } from "../api.js";
import { ChooseFriends, ChooseGroups } from "../choose.js";
import { Button, Dialog, Field, Tabs, tryTo } from "../ui.js";
import { useUnsaved } from "../unsaved.js";
import { html, useEffect, useMemo, useState } from "../shared/preact.js";
import { moment, t } from "../words.js";

const MAX_BYTES = 20 * 1024 * 1024;

export function NewBroadcast({ onClose }) {
  const [form, setForm] = useState({ text: "", file: null, to: "all", groups: new Set(), friends: new Map(), at: "" });
  const [previewed, setPreviewed] = useState(false);
  const [key] = useState(newKey);
  const set = (change) => setForm((before) => ({ ...before, ...change }));
  const changed = form.text !== "" || form.file !== null;
  useUnsaved(changed);
  const send = async () => {
    const sent = await tryTo(async () => call("POST", "/broadcast", { key, ...(await content(form)), ...receivers(form), ...(form.at ? { at: new Date(form.at).getTime() / 1000 } : {}) }), t("已排队发送"));
    if (sent) onClose();
  };
  return previewed ? html`<${Preview} form=${form} onClose=${onClose} back=${() => setPreviewed(false)} send=${send} />`
    : html`<${Form} form=${form} set=${set} changed=${changed} onClose=${onClose} preview=${() => setPreviewed(true)} />`;
}

async function content({ text, file }) {
  if (!file) return { text };
  return { [file.type.startsWith("image/") ? "image" : "file"]: { name: file.name, base64: await base64(file) } };
}

function receivers({ to, groups, friends }) {
  if (to === "all") return { all: true };
  return to === "groups" ? { quns: [...groups] } : { friends: [...friends.values()].map(({ assistant, contact_id }) => ({ assistant, contact_id })) };
}

function Form({ form, set, changed, onClose, preview }) {
  const chosen = form.to === "all" || (form.to === "groups" ? form.groups : form.friends).size > 0;
  const past = form.at !== "" && new Date(form.at) < new Date();
  const tooLarge = form.file && form.file.size > MAX_BYTES;
  return html`<${Dialog} title=${t("新的群发")} onClose=${onClose} changed=${changed}>
    ${form.file ? html`<div class="row between"><span class="grow">${form.file.name}</span><button type="button" class="bare" onClick=${() => set({ file: null })}>${t("改发文字")}</button></div>`
      : html`<${Field} label=${t("内容")}><textarea value=${form.text} maxlength="4000" onInput=${(event) => set({ text: event.target.value })}></textarea><//>`}
    ${tooLarge && html`<p class="error">${t("文件太大了（最多 20 MB）。")}</p>`}
    ${!form.file && !form.text && html`<label class="field"><span>${t("或者发一张图片、一个文件")}</span><input type="file" onChange=${(event) => set({ file: event.target.files[0] ?? null })} /></label>`}
    <${Tabs} label=${t("发给")} value=${form.to} onChange=${(to) => set({ to })} options=${[["all", t("所有群")], ["groups", t("选择群")], ["friends", t("选择好友")]]} />
    ${form.to === "groups" && html`<${ChooseGroups} chosen=${form.groups} setChosen=${(groups) => set({ groups })} />`}
    ${form.to === "friends" && html`<${ChooseFriends} chosen=${form.friends} setChosen=${(friends) => set({ friends })} />`}
    <${Field} label=${t("什么时候（留空为现在）")}><input type="datetime-local" value=${form.at} onInput=${(event) => set({ at: event.target.value })} /><//>
    ${past && html`<p class="error">${t("这个时间已经过去了。")}</p>`}
    <div class="end"><button type="button" class="plain" onClick=${onClose}>${t("取消")}</button>
      <button type="button" class="plain main" disabled=${(!form.text.trim() && !form.file) || !chosen || past || tooLarge} onClick=${preview}>${t("预览")}</button></div><//>`;
}

function Preview({ form, onClose, back, send }) {
  const isPicture = form.file?.type.startsWith("image/");
  const address = useMemo(() => (isPicture ? URL.createObjectURL(form.file) : ""), [form.file]);
  useEffect(() => () => { if (address) URL.revokeObjectURL(address); }, [address]);
  const names = form.to === "friends" ? [...form.friends.values()].map((friend) => friend.alias || friend.name).slice(0, 10).join("、") : "";
  const whom = { all: t("所有群"), groups: t("{n} 个群", { n: form.groups.size }), friends: t("{n} 位好友", { n: form.friends.size }) }[form.to];
  return html`<${Dialog} title=${t("确认群发")} onClose=${onClose} changed><dl class="facts"><dt>${t("发给")}</dt><dd>${whom}${names && html`<br /><span class="quiet small">${names}${form.friends.size > 10 ? "…" : ""}</span>`}</dd>
      <dt>${t("时间")}</dt><dd>${form.at ? moment(form.at) : t("立即，按限速逐个发送")}</dd></dl>
    <div class="answer">${isPicture ? html`<img class="preview" src=${address} alt=${form.file.name} />` : form.file ? form.file.name : form.text}</div>
    <div class="end"><button type="button" class="plain" onClick=${back}>${t("返回修改")}</button><${Button} kind="main" onClick=${send}>${t("确认发送")}<//></div><//>`;
}
