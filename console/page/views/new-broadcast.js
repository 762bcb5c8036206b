// A new broadcast: content, receivers and time; previewed before it is sent.
import { RequestKeys, base64, call, fileIdentity } from "../api.js";
import { ChooseFriends, ChooseGroups } from "../choose.js";
import { Dialog, attempt } from "../dialogs.js";
import { html, useEffect, useMemo, useState } from "../shared/preact.js";
import { Button, Field, Tabs } from "../ui.js";
import { useUnsaved } from "../unsaved.js";
import { LAST_TIME, formatTime, t } from "../words.js";

const MAX_BYTES = 20 * 1024 * 1024;
const MAX_AHEAD = 366 * 24 * 3600 * 1000; // milliseconds
const NAMES_SHOWN = 10;
const EMPTY = { text: "", file: null, to: "all", groups: new Set(), friends: new Map(), at: "" };

const isPicture = (file) => file.type.startsWith("image/");

export function NewBroadcast({ onClose, onCreated }) {
  const [form, setForm] = useState(EMPTY);
  const [isPreviewed, setIsPreviewed] = useState(false);
  const [keys] = useState(() => new RequestKeys());
  const set = (change) => setForm((before) => ({ ...before, ...change }));
  const changed = form.text !== "" || form.file !== null;
  useUnsaved(changed);
  const send = async () => {
    const body = { ...receivers(form), ...(form.at && { at: new Date(form.at).getTime() / 1000 }) };
    const key = keys.of(JSON.stringify([body, form.text, fileIdentity(form.file)]));
    if (await attempt(async () => call("POST", "/broadcast", { key, ...body, ...(await content(form)) }), t("已排队发送"))) onCreated();
  };
  return html`<${Dialog} title=${isPreviewed ? t("确认群发") : t("新的群发")} onClose=${onClose} changed=${changed}>
    ${isPreviewed ? html`<${Preview} form=${form} back=${() => setIsPreviewed(false)} send=${send} />`
      : html`<${Form} form=${form} set=${set} onClose=${onClose} preview=${() => setIsPreviewed(true)} />`}<//>`;
}

async function content({ text, file }) {
  if (!file) return { text };
  return { [isPicture(file) ? "image" : "file"]: { name: file.name, base64: await base64(file) } };
}

function receivers({ to, groups, friends }) {
  if (to === "all") return { all: true };
  if (to === "groups") return { quns: [...groups] };
  return { friends: [...friends.values()].map(({ assistant, contact_id }) => ({ assistant, contact_id })) };
}

/** Why a broadcast cannot be sent at this time; "" if it can. */
function timeError(at) {
  if (at === "") return "";
  const ahead = new Date(at) - Date.now(); // NaN for a year after 9999
  if (ahead < 0) return t("这个时间已经过去了。");
  return ahead <= MAX_AHEAD ? "" : t("只能预约一年以内的时间。");
}

function Form({ form, set, onClose, preview }) {
  const { text, file, to, groups, friends, at } = form;
  const hasReceivers = to === "all" || (to === "groups" ? groups : friends).size > 0;
  const wrongTime = timeError(at);
  const isTooLarge = file !== null && file.size > MAX_BYTES;
  const isComplete = (text.trim() || file) && hasReceivers && !wrongTime && !isTooLarge;
  const receiverKinds = [["all", t("所有群")], ["groups", t("选择群")], ["friends", t("选择好友")]];
  return html`${file ? html`<div class="row between"><span class="grow">${file.name}</span>
        <button type="button" class="bare" onClick=${() => set({ file: null })}>${t("改发文字")}</button></div>`
      : html`<${Field} label=${t("内容")}><textarea value=${text} maxlength="4000"
        onInput=${(event) => set({ text: event.target.value })}></textarea><//>`}
    ${isTooLarge && html`<p class="error">${t("文件太大了（最多 20 MB）。")}</p>`}
    ${!file && !text && html`<label class="field"><span>${t("或者发一张图片、一个文件")}</span>
      <input type="file" onChange=${(event) => set({ file: event.target.files[0] ?? null })} /></label>`}
    <${Tabs} label=${t("发给")} value=${to} onChange=${(kind) => set({ to: kind })} options=${receiverKinds} />
    ${to === "groups" && html`<${ChooseGroups} chosen=${groups} setChosen=${(chosen) => set({ groups: chosen })} />`}
    ${to === "friends" && html`<${ChooseFriends} chosen=${friends} setChosen=${(chosen) => set({ friends: chosen })} />`}
    <${Field} label=${t("什么时候（留空为现在）")}>
      <input type="datetime-local" max=${LAST_TIME} value=${at} onInput=${(event) => set({ at: event.target.value })} /><//>
    ${wrongTime && html`<p class="error">${wrongTime}</p>`}
    <div class="dialog-buttons"><button type="button" class="plain" onClick=${onClose}>${t("取消")}</button>
      <button type="button" class="plain main" disabled=${!isComplete} onClick=${preview}>${t("预览")}</button></div>`;
}

function Preview({ form: { text, file, to, groups, friends, at }, back, send }) {
  const shown = [...friends.values()].slice(0, NAMES_SHOWN).map((friend) => friend.alias || friend.name).join("、");
  const names = `${shown}${friends.size > NAMES_SHOWN ? "…" : ""}`;
  const summary = {
    all: t("所有群"),
    groups: t("{n} 个群", { n: groups.size }),
    friends: html`${t("{n} 位好友", { n: friends.size })}<br /><span class="muted small">${names}</span>`,
  };
  return html`<dl class="facts"><dt>${t("发给")}</dt><dd>${summary[to]}</dd>
      <dt>${t("时间")}</dt><dd>${at ? formatTime(at) : t("立即，按限速逐个发送")}</dd></dl>
    <div class="answer">${file && isPicture(file) ? html`<${Picture} file=${file} />` : file ? file.name : text}</div>
    <div class="dialog-buttons"><button type="button" class="plain" onClick=${back}>${t("返回修改")}</button>
      <${Button} kind="main" onClick=${send}>${t("确认发送")}<//></div>`;
}

function Picture({ file }) {
  const address = useMemo(() => URL.createObjectURL(file), [file]);
  useEffect(() => () => URL.revokeObjectURL(address), [address]);
  return html`<img class="preview" src=${address} alt=${file.name} />`;
}
