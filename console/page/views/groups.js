// 群: the list, and the page of one group with the actions of the chat commands.
import { call, query } from "../api.js";
import { Chart } from "../chart.js";
import { Button, Field, Listing, State, Table, Tabs, Time, sure, tryTo, useList, useLoad } from "../ui.js";
import { html, useEffect, useState } from "../vendor/preact.js";
import { t } from "../words.js";

export function Groups() {
  const [q, setQ] = useState("");
  const [state, setState] = useState("");
  const list = useList(`/qun${query({ q, state })}`, "quns");
  return html`<div class="heading"><h1>${t("群")}</h1><div class="tools">
      <select class="short" aria-label=${t("状态")} value=${state} onChange=${(event) => setState(event.target.value)}><option value="">${t("所有状态")}</option><option value="active">${t("正常")}</option><option value="making">${t("建立中")}</option><option value="lost">${t("已不在群里")}</option><option value="closed">${t("已结束")}</option></select>
      <input class="find" type="search" aria-label=${t("查找群名或代码")} placeholder=${t("查找群名或代码")} value=${q} onInput=${(event) => setQ(event.target.value)} /></div></div>
    <${Listing} list=${list} empty=${q || state ? t("没有找到。") : t("还没有群。业务系统请求建群后会出现在这里。")}>
      <${Table} caption=${t("群")} heads=${[t("编号"), t("群名"), t("群主"), t("人数"), t("助手"), t("状态"), t("建立")]}>${list.rows.map((one) => html`<tr class="goes" key=${one.number}>
        <td class="number">${one.number}</td><td class="text"><a href=${`#/groups/${one.number}`}>${one.topic}</a></td><td>${one.owner}</td><td class="number">${one.members} / ${one.capacity}</td><td>${one.assistant}</td><td><${State} of=${one.state} /></td><td><${Time} at=${one.created_at} /></td></tr>`)}<//>
    <//>`;
}

export function Group({ id, admin }) {
  const list = useLoad(`/qun/${id}`);
  const one = list.data?.qun;
  const act = (what, body, done) => tryTo(async () => { await call("POST", `/qun/${id}/${what}`, body ?? {}); await list.reload(); }, done ?? t("完成"));
  return html`<div class="heading"><a class="button" href="#/groups" aria-label=${t("返回列表")}>‹</a><h1>${one?.topic ?? id}</h1>${one && html`<${State} of=${one.state} />`}
      ${one && admin && one.state !== "closed" && html`<div class="tools"><${Button} kind="danger" onClick=${async () => (await sure(t("关闭这个群？助手会告知群员并退群，不能撤销。"), t("关闭群"))) && act("close")}>${t("关闭群")}<//></div>`}</div>
    <${Listing} list=${{ ...list, rows: one ? [1] : [] }} empty="">${one && html`<div class="stack"><div class="halves">
      <${Facts} one=${one} admin=${admin} act=${act} /><${Texts} one=${one} id=${id} admin=${admin} reload=${list.reload} />
      <${Words} one=${one} admin=${admin} act=${act} /><section class="card stack"><h2>${t("近 14 天")}</h2><${Chart} label=${t("近 14 天")} days=${one.days.map((day) => day.day)} series=${[[t("消息"), one.days.map((day) => day.messages), "--brand"], [t("入群"), one.days.map((day) => day.joins), "--warn"], [t("退群"), one.days.map((day) => day.leaves), "--bad"]]} /></section>
    </div><${Members} id=${id} admin=${admin} act=${act} /></div>`}<//>`;
}

function Facts({ one, admin, act }) {
  return html`<section class="card stack"><h2>${t("群信息")}</h2><dl class="facts">
      <dt>${t("编号")}</dt><dd class="number">${one.number}</dd><dt>${t("代码")}</dt><dd class="mono">${one.code}</dd><dt>${t("群主")}</dt><dd>${one.owner}</dd><dt>${t("助手")}</dt><dd>${one.assistant}</dd><dt>${t("人数")}</dt><dd class="number">${one.members} / ${one.capacity}</dd>
      ${admin && html`<dt>${t("入群链接")}</dt><dd class="mono"><a href=${one.url} target="_blank" rel="noopener">${one.url}</a></dd><dt>${t("入群令牌")}</dt><dd class="mono">${one.token}</dd>`}</dl>
    ${admin && one.state !== "closed" && html`<img class="qr" src=${`/console/api/qun/${one.number}/qr.svg`} alt=${t("入群二维码")} /><div class="row"><${Button} onClick=${async () => (await sure(t("换令牌？旧的令牌马上作废。"), t("换令牌"))) && act("token", {}, t("令牌已更换"))}>${t("换令牌")}<//></div>`}</section>`;
}

function Texts({ one, id, admin, reload }) {
  return html`<section class="card stack"><h2>${t("文字")}</h2>
    <${Text} name="topic" label=${t("群名")} value=${one.topic} id=${id} admin=${admin} reload=${reload} />
    <${Text} name="announcement" label=${t("群公告（会通知所有人）")} value=${one.announcement ?? ""} id=${id} admin=${admin} reload=${reload} long />
    <${Text} name="welcome" label=${t("欢迎语（留空用配置里的）")} value=${one.welcome ?? ""} id=${id} admin=${admin} reload=${reload} long empty /></section>`;
}

function Text({ name, label, value, id, admin, reload, long, empty }) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  const changed = text !== value;
  const given = { value: text, disabled: !admin, onInput: (event) => setText(event.target.value) };
  return html`<${Field} label=${`${label}${changed ? `　${t("（未保存）")}` : ""}`}>${long ? html`<textarea ...${given}></textarea>` : html`<input type="text" maxlength="30" ...${given} />`}<//>
    ${admin && changed && html`<div class="row"><${Button} kind="main slim" disabled=${!empty && !text.trim()} onClick=${() => tryTo(async () => { await call("PATCH", `/qun/${id}`, { [name]: text || null }); await reload(); }, t("已保存"))}>${t("保存")}<//><${Button} kind="slim" onClick=${() => setText(value)}>${t("放弃修改")}<//></div>`}`;
}

function Words({ one, admin, act }) {
  const [word, setWord] = useState("");
  return html`<section class="card stack"><h2>${t("屏蔽词")}</h2>
    <div class="chips">${one.blocked_words.map((each) => html`<span class="chip" key=${each}>${each}${admin && html`<button type="button" class="bare" aria-label=${t("删除 {word}", { word: each })} onClick=${() => act("unblock", { word: each })}>×</button>`}</span>`)}${!one.blocked_words.length && html`<span class="quiet">${t("这个群没有自己的屏蔽词")}</span>`}</div>
    ${admin && html`<form class="row" onSubmit=${async (event) => { event.preventDefault(); if (await act("block", { word })) setWord(""); }}><input type="text" aria-label=${t("新的屏蔽词")} placeholder=${t("新的屏蔽词")} value=${word} onInput=${(event) => setWord(event.target.value)} /><button class="plain" disabled=${!word.trim()}>${t("添加")}</button></form>`}
    <h2>${t("黑名单")}</h2><div class="chips">${one.blacklist.map((each) => html`<span class="chip" key=${each.contact_id}>${each.name || each.contact_id}${admin && html`<button type="button" class="bare" onClick=${() => act("forgive", { contact_id: each.contact_id }, t("已解除拉黑"))}>${t("解除")}</button>`}</span>`)}${!one.blacklist.length && html`<span class="quiet">${t("没有人")}</span>`}</div></section>`;
}

function Members({ id, admin, act }) {
  const [state, setState] = useState("joined");
  const list = useList(`/qun/${id}/members?state=${state}`, "members");
  const on = async (what, one, question, button) => (await sure(question, button)) && (await act(what, { contact_id: one.contact_id })) && list.reload();
  return html`<section class="stack"><div class="row wrap between"><h2>${t("群员")}</h2><${Tabs} label=${t("群员状态")} value=${state} onChange=${setState} options=${[["joined", t("在群里")], ["invited", t("已邀请")], ["waiting_friend", t("等待加好友")], ["left", t("已退群")], ["removed", t("被移出")]]} /></div>
    <${Listing} list=${list} empty=${t("没有人")}><${Table} caption=${t("群员")} heads=${[t("昵称"), t("微信标识"), t("时间"), ""]}>${list.rows.map((one) => html`<tr key=${one.id}><td class="text">${one.name}</td><td class="mono">${one.contact_id ?? "—"}</td><td><${Time} at=${one.updated_at} /></td>
      <td class="act">${admin && state === "joined" && !one.exempt && html`<${Button} kind="bare" onClick=${() => on("warn", one, t("警告 {name}？", one), t("警告"))}>${t("警告")}<//><${Button} kind="bare danger" onClick=${() => on("remove", one, t("把 {name} 移出群？", one), t("移出"))}>${t("移出")}<//><${Button} kind="bare danger" onClick=${() => on("blacklist", one, t("拉黑 {name} 并移出群？", one), t("拉黑"))}>${t("拉黑")}<//>`}</td></tr>`)}<//><//></section>`;
}
