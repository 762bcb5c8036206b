// 群: the list, and what is blocked in every group.
import { call, query } from "../api.js";
import { ChooseAssistant } from "../choose.js";
import { Button, Dialog, Listing, State, Table, Time, tryTo, useList, useLoad } from "../ui.js";
import { html, useState } from "../shared/preact.js";
import { t } from "../words.js";

const STATES = [["", "所有状态"], ["active", "正常"], ["making", "尚未建成"], ["lost", "已不在群里"], ["closed", "已结束"]];

export function Groups({ admin, session }) {
  const [q, setQ] = useState("");
  const [state, setState] = useState("");
  const [blocking, setBlocking] = useState(false);
  const list = useList(`/qun${query({ q, state })}`, "quns");
  return html`<div class="heading"><h1>${t("群")}</h1><div class="tools">
      <button type="button" class="plain" onClick=${() => setBlocking(true)}>${t("所有群的屏蔽词")}</button>
      <select class="short" aria-label=${t("状态")} value=${state} onChange=${(event) => setState(event.target.value)}>
        ${STATES.map(([id, words]) => html`<option key=${id} value=${id}>${t(words)}</option>`)}</select>
      <input class="find" type="search" aria-label=${t("查找群名或代码")} placeholder=${t("查找群名或代码")} value=${q} onInput=${(event) => setQ(event.target.value)} /></div></div>
    <${Listing} list=${list} empty=${q || state ? t("没有找到。") : t("还没有群。业务系统请求建群后会出现在这里。")}>
      <${Table} caption=${t("群")} heads=${[t("编号"), t("群名"), t("群主"), t("人数"), t("助手"), t("状态"), t("建立")]}>${list.rows.map((one) => html`<tr class="goes" key=${one.number}>
        <td class="number">${one.number}</td><td class="text"><a href=${`#/groups/${one.number}`}>${one.topic}</a></td><td>${one.owner}</td>
        <td class="number">${one.members} / ${one.capacity}</td><td>${one.assistant}</td><td><${State} of=${one.state} /></td><td><${Time} at=${one.created_at} /></td></tr>`)}<//>
    <//>
    ${blocking && html`<${BlockedEverywhere} names=${session.assistants} admin=${admin} onClose=${() => setBlocking(false)} />`}`;
}

function BlockedEverywhere({ names, admin, onClose }) {
  const [assistant, setAssistant] = useState(names[0] ?? "");
  const path = `/blocked-word${query({ assistant })}`;
  const list = useLoad(path);
  const act = (what, word) => tryTo(async () => { await call("POST", `/blocked-word${what}${query({ assistant })}`, { word }); await list.reload(); }, t("已保存"));
  return html`<${Dialog} title=${t("所有群的屏蔽词")} onClose=${onClose}>
    <${ChooseAssistant} names=${names} value=${assistant} onChange=${setAssistant} />
    <${Listing} list=${{ ...list, rows: list.data ? [1] : [] }} empty="">${list.data && html`
      <${BlockedWords} words=${list.data.words} admin=${admin} empty=${t("还没有所有群的屏蔽词")} onAdd=${(word) => act("", word)} onRemove=${(word) => act("/remove", word)} />
      ${list.data.configured.length > 0 && html`<div><h3>${t("配置文件里的屏蔽词")}</h3><div class="chips">${list.data.configured.map((word) => html`<span class="chip" key=${word}>${word} </span>`)}</div></div>`}`}<//>
    <div class="end"><button type="button" class="plain" onClick=${onClose}>${t("关闭")}</button></div><//>`;
}

/** A list of words with a field to add one; changes are saved at once. */
export function BlockedWords({ words, admin, empty, onAdd, onRemove }) {
  const [word, setWord] = useState("");
  const add = async (event) => {
    event.preventDefault();
    if (await onAdd(word.trim())) setWord("");
  };
  return html`<div class="chips">${words.map((each) => html`<span class="chip" key=${each}>${each}
      ${admin && html`<${Button} kind="bare" aria-label=${t("删除 {word}", { word: each })} onClick=${() => onRemove(each)}>×<//>`}</span>`)}
      ${!words.length && html`<span class="quiet">${empty}</span>`}</div>
    ${admin && html`<form class="row" onSubmit=${add}><input type="text" maxlength="50" aria-label=${t("新的屏蔽词")} placeholder=${t("新的屏蔽词")} value=${word} onInput=${(event) => setWord(event.target.value)} />
      <button class="plain" disabled=${!word.trim()}>${t("添加")}</button></form>`}`;
}
