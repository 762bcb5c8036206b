// Choosing groups and friends out of many: the server searches them, the page shows the first.
import { query } from "./api.js";
import { useList, useLoad } from "./load.js";
import { html, useState } from "./shared/preact.js";
import { Listing, SearchField, Select } from "./ui.js";
import { t } from "./words.js";

/** Groups; `chosen`: a Set of their numbers. `single`: only one can be chosen. */
export function ChooseGroups({ chosen, setChosen, single }) {
  const [q, setQ] = useState("");
  const list = useList(`/qun${query({ q, state: "active" })}`, "quns");
  const toggle = (number) => {
    const next = new Set(single ? [] : chosen);
    if (single || !next.delete(number)) next.add(number);
    setChosen(next);
  };
  const choice = (group) => html`<label key=${group.number}>
    <input type=${single ? "radio" : "checkbox"} name="group" checked=${chosen.has(group.number)}
      onChange=${() => toggle(group.number)} />
    <span class="grow">${group.topic}</span><span class="muted number">${group.members}</span></label>`;
  return html`<${SearchField} label=${t("查找群")} value=${q} onChange=${setQ} />
    <div class="picker"><${Listing} list=${list} empty=${t("没有找到。")}>${list.rows.map(choice)}<//></div>`;
}

const friendKey = (friend) => `${friend.assistant} ${friend.contact_id}`;

/** Friends; `chosen`: a Map of them. `assistant`: only friends of this one; `single`: only one can be chosen. */
export function ChooseFriends({ chosen, setChosen, assistant = "", single }) {
  const [q, setQ] = useState("");
  const list = useLoad(`/friend${query({ q, assistant })}`);
  const rows = list.data?.friends ?? [];
  const hidden = (list.data?.count ?? 0) - rows.length;
  const toggle = (friend) => {
    const next = new Map(single ? [] : chosen);
    if (!next.delete(friendKey(friend))) next.set(friendKey(friend), friend);
    setChosen(next);
  };
  const choice = (friend) => html`<label key=${friendKey(friend)}>
    <input type=${single ? "radio" : "checkbox"} name="friend" checked=${chosen.has(friendKey(friend))}
      onChange=${() => toggle(friend)} />
    <span class="grow">${friend.alias || friend.name}${friend.alias && html` <span class="muted">${friend.name}</span>`}</span>
    <span class="muted small">${friend.weixin || friend.contact_id}</span></label>`;
  return html`<${SearchField} label=${t("查找好友")} hint=${t("查找好友：昵称、备注或微信号")} value=${q} onChange=${setQ} />
    <div class="picker"><${Listing} list=${{ ...list, rows }} empty=${t("没有找到。")}>${rows.map(choice)}
      ${hidden > 0 && html`<p class="muted small padded">${t("还有 {n} 位，输入名字查找。", { n: hidden })}</p>`}<//></div>`;
}

/** One of the assistants; nothing if there is only one. */
export function ChooseAssistant({ names, value, onChange }) {
  if (names.length < 2) return null;
  return html`<${Select} kind="short" label=${t("助手")} value=${value} onChange=${onChange} options=${names.map((name) => [name, name])} />`;
}
