// Choosing groups and people out of many: the server looks for them, the page shows the first.
import { query } from "./api.js";
import { Listing, useList, useLoad } from "./ui.js";
import { html, useState } from "./shared/preact.js";
import { t } from "./words.js";

/** Groups by number. `one`: only one of them. */
export function ChooseGroups({ chosen, setChosen, one }) {
  const [q, setQ] = useState("");
  const list = useList(`/qun${query({ q, state: "active" })}`, "quns");
  const toggle = (number) => {
    if (one) setChosen(new Set([number]));
    else setChosen(chosen.has(number) ? new Set([...chosen].filter((each) => each !== number)) : new Set([...chosen, number]));
  };
  return html`<input type="search" aria-label=${t("查找群")} placeholder=${t("查找群")} value=${q} onInput=${(event) => setQ(event.target.value)} />
    <div class="pick"><${Listing} list=${list} empty=${t("没有找到。")}>${list.rows.map((each) => html`<label key=${each.number}>
      <input type=${one ? "radio" : "checkbox"} name="group" checked=${chosen.has(each.number)} onChange=${() => toggle(each.number)} />
      <span class="grow">${each.topic}</span><span class="quiet number">${each.members}</span></label>`)}<//></div>`;
}

export const friendKey = (friend) => `${friend.assistant} ${friend.contact_id}`;

/** Friends of the assistants; `chosen`: a Map from `friendKey` to the friend. `assistant`: only of this one; `one`: only one. */
export function ChooseFriends({ chosen, setChosen, assistant = "", one }) {
  const [q, setQ] = useState("");
  const list = useLoad(`/friend${query({ q, assistant })}`);
  const rows = list.data?.friends ?? [];
  const more = (list.data?.count ?? 0) - rows.length;
  const toggle = (friend) => {
    const next = new Map(one ? [] : chosen);
    if (!next.delete(friendKey(friend))) next.set(friendKey(friend), friend);
    setChosen(next);
  };
  return html`<input type="search" aria-label=${t("查找好友")} placeholder=${t("查找好友：昵称、备注或微信号")} value=${q} onInput=${(event) => setQ(event.target.value)} />
    <div class="pick"><${Listing} list=${{ ...list, rows }} empty=${t("没有找到。")}>${rows.map((each) => html`<label key=${friendKey(each)}>
      <input type=${one ? "radio" : "checkbox"} name="friend" checked=${chosen.has(friendKey(each))} onChange=${() => toggle(each)} />
      <span class="grow">${each.alias || each.name}${each.alias && html` <span class="quiet">${each.name}</span>`}</span>
      <span class="quiet small">${each.weixin || each.contact_id}</span></label>`)}
      ${more > 0 && html`<p class="quiet small pad">${t("还有 {n} 位，输入名字查找。", { n: more })}</p>`}<//></div>`;
}

/** One of the assistants; nothing where there is only one. */
export function ChooseAssistant({ names, value, onChange }) {
  if (names.length < 2) return null;
  return html`<select class="short" aria-label=${t("助手")} value=${value} onChange=${(event) => onChange(event.target.value)}>
    ${names.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}</select>`;
}
