// 群: the list of groups, and the words that are blocked in every group.
import { call, query } from "../api.js";
import { ChooseAssistant } from "../choose.js";
import { Dialog, attempt, useDialog } from "../dialogs.js";
import { useList, useLoad } from "../load.js";
import { html, useState } from "../shared/preact.js";
import { Button, Listing, Loaded, SearchField, Select, State, Table, Time, useSubmit } from "../ui.js";
import { t } from "../words.js";

const STATES = [["", "所有状态"], ["active", "正常"], ["making", "尚未建成"], ["lost", "已不在群里"], ["closed", "已结束"]];

export function Groups({ admin, session }) {
  const [q, setQ] = useState("");
  const [state, setState] = useState("");
  const [dialog, openDialog] = useDialog();
  const list = useList(`/qun${query({ q, state })}`, "quns");
  const headings = [t("编号"), t("群名"), t("群主"), t("人数"), t("助手"), t("状态"), t("建立")];
  const row = (group) => html`<tr class="hoverable" key=${group.number}>
    <td class="number">${group.number}</td><td class="text"><a href=${`#/groups/${group.number}`}>${group.topic}</a></td>
    <td>${group.owner}</td><td class="number">${group.members} / ${group.capacity}</td><td>${group.assistant}</td>
    <td><${State} of=${group.state} /></td><td><${Time} at=${group.created_at} /></td></tr>`;
  return html`<div class="heading"><h1>${t("群")}</h1><div class="tools">
      <button type="button" class="plain" onClick=${() => openDialog()}>${t("所有群的屏蔽词")}</button>
      <${Select} kind="short" label=${t("状态")} value=${state} onChange=${setState} options=${STATES.map(([id, text]) => [id, t(text)])} />
      <${SearchField} kind="search" label=${t("查找群名或代码")} value=${q} onChange=${setQ} /></div></div>
    <${Listing} list=${list} empty=${q || state ? t("没有找到。") : t("还没有群。业务系统请求建群后会出现在这里。")}>
      <${Table} caption=${t("群")} headings=${headings}>${list.rows.map(row)}<//>
    <//>
    ${dialog && html`<${CommonBlockedWords} key=${dialog.id} names=${session.assistants} admin=${admin} onClose=${dialog.close} />`}`;
}

function CommonBlockedWords({ names, admin, onClose }) {
  const [assistant, setAssistant] = useState(names[0] ?? "");
  const list = useLoad(`/blocked-word${query({ assistant })}`);
  const act = (action, word) => attempt(async () => {
    await call("POST", `/blocked-word${action}${query({ assistant })}`, { word });
    await list.reload();
  }, t("已保存"));
  return html`<${Dialog} title=${t("所有群的屏蔽词")} onClose=${onClose}>
    <${ChooseAssistant} names=${names} value=${assistant} onChange=${setAssistant} />
    <${Loaded} resource=${list}>${({ words, configured }) => html`
      <${BlockedWords} words=${words} admin=${admin} empty=${t("还没有所有群的屏蔽词")}
        onAdd=${(word) => act("", word)} onRemove=${(word) => act("/remove", word)} />
      ${configured.length > 0 && html`<div><h3>${t("配置文件里的屏蔽词")}</h3><div class="chips">
        ${configured.map((word) => html`<span class="chip" key=${word}>${word} </span>`)}</div></div>`}`}<//>
    <div class="dialog-buttons"><button type="button" class="plain" onClick=${onClose}>${t("关闭")}</button></div><//>`;
}

/** A list of words with a field to add one; changes are saved at once. */
export function BlockedWords({ words, admin, empty, onAdd, onRemove }) {
  const [added, setAdded] = useState("");
  const [submit, isAdding] = useSubmit(async () => { if (await onAdd(added.trim())) setAdded(""); });
  const remove = (word) => html`<${Button} kind="bare" aria-label=${t("删除 {word}", { word })} onClick=${() => onRemove(word)}>×<//>`;
  return html`<div class="chips">
      ${words.map((word) => html`<span class="chip" key=${word}>${word}${admin && remove(word)}</span>`)}
      ${!words.length && html`<span class="muted">${empty}</span>`}</div>
    ${admin && html`<form class="row" onSubmit=${submit}>
      <input type="text" maxlength="50" aria-label=${t("新的屏蔽词")} placeholder=${t("新的屏蔽词")} value=${added}
        onInput=${(event) => setAdded(event.target.value)} />
      <button class="plain" aria-busy=${isAdding} disabled=${!added.trim()}>${t("添加")}</button></form>`}`;
}
