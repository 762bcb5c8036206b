// One group, with all that the chat commands do.
import { call } from "../api.js";
import { Chart } from "../chart.js";
import { ChooseFriends } from "../choose.js";
import { Button, Dialog, Field, Listing, State, Table, Tabs, Time, sure, toast, tryTo, useList, useLoad } from "../ui.js";
import { useUnsaved } from "../unsaved.js";
import { useTyped } from "../shared/typed.js";
import { html, useState } from "../shared/preact.js";
import { t } from "../words.js";
import { BlockedWords } from "./groups.js";

export function Group({ id, admin }) {
  const list = useLoad(`/qun/${id}`);
  const one = list.data?.qun;
  const open = one && one.state !== "closed";
  const act = (what, body, done) => tryTo(async () => { await call("POST", `/qun/${id}/${what}`, body ?? {}); await list.reload(); }, done ?? t("完成"));
  const close = async () => (await sure(t("关闭这个群？助手会告知群员并退群，不能撤销。"), t("关闭群"))) && act("close");
  return html`<div class="heading"><a class="button" href="#/groups" aria-label=${t("返回列表")}>‹</a><h1>${one?.topic ?? id}</h1>${one && html`<${State} of=${one.state} />`}
      ${open && admin && html`<div class="tools"><${Button} kind="danger" onClick=${close}>${t("关闭群")}<//></div>`}</div>
    <${Listing} list=${{ ...list, rows: one ? [1] : [] }} empty="">${one && html`<div class="stack"><div class="halves">
      <${Facts} one=${one} admin=${admin} act=${act} /><${Texts} key=${one.number} one=${one} id=${id} admin=${admin && open} reload=${list.reload} />
      <${Guard} one=${one} admin=${admin} act=${act} /><${Days} one=${one} />
    </div><${Members} one=${one} id=${id} admin=${admin && open} act=${act} /></div>`}<//>`;
}

function Days({ one }) {
  const of = (name) => one.days.map((day) => day[name]);
  const series = [[t("消息"), of("messages"), "--brand"], [t("入群"), of("joins"), "--warn"], [t("退群"), of("leaves"), "--bad"]];
  return html`<section class="card stack"><h2>${t("近 14 天")}</h2><${Chart} label=${t("近 14 天")} days=${of("day")} series=${series} /></section>`;
}

function Facts({ one, admin, act }) {
  const change = async () => (await sure(t("换令牌？旧的令牌马上作废。"), t("换令牌"))) && act("token", {}, t("令牌已更换"));
  return html`<section class="card stack"><h2>${t("群信息")}</h2><dl class="facts">
      <dt>${t("编号")}</dt><dd class="number">${one.number}</dd><dt>${t("代码")}</dt><dd class="mono">${one.code}</dd><dt>${t("群主")}</dt><dd>${one.owner}</dd>
      <dt>${t("助手")}</dt><dd>${one.assistant}</dd><dt>${t("人数")}</dt><dd class="number">${one.members} / ${one.capacity}</dd>
      ${admin && html`<dt>${t("入群链接")}</dt><dd class="mono"><a href=${one.url} target="_blank" rel="noopener">${one.url}</a></dd><dt>${t("入群令牌")}</dt><dd class="mono">${one.token}</dd>`}</dl>
    ${admin && one.state !== "closed" && html`<img class="qr" src=${`/console/api/qun/${one.number}/qr.svg`} alt=${t("入群二维码")} />
      <div class="row"><${Button} onClick=${change}>${t("换令牌")}<//></div>`}</section>`;
}

function Texts({ one, id, admin, reload }) {
  const given = { id, admin, reload };
  return html`<section class="card stack"><h2>${t("文字")}</h2>
    <${Text} name="topic" label=${t("群名")} value=${one.topic} most="30" ...${given} />
    <${Text} name="announcement" label=${t("群公告（会通知所有人）")} value=${one.announcement ?? ""} most="2000" long ...${given} />
    <${Text} name="welcome" label=${t("欢迎语（留空用配置里的）")} value=${one.welcome ?? ""} most="500" long empty ...${given} /></section>`;
}

function Text({ name, label, value, most, id, admin, reload, long, empty }) {
  const [text, setText, store] = useTyped(value);
  const changed = text !== value;
  useUnsaved(changed);
  const given = { value: text, maxlength: most, disabled: !admin, onInput: (event) => setText(event.target.value) };
  const save = () => store((given) => tryTo(async () => { await call("PATCH", `/qun/${id}`, { [name]: given || null }); await reload(); }, t("已保存")));
  return html`<${Field} label=${label} changed=${changed}>${long ? html`<textarea ...${given}></textarea>` : html`<input type="text" ...${given} />`}<//>
    ${admin && changed && html`<div class="row"><${Button} kind="main slim" disabled=${!empty && !text.trim()} onClick=${save}>${t("保存")}<//>
      <${Button} kind="slim" onClick=${() => setText(value)}>${t("放弃修改")}<//></div>`}`;
}

function Guard({ one, admin, act }) {
  const forgive = (each) => act("forgive", { contact_id: each.contact_id }, t("已解除拉黑"));
  return html`<section class="card stack"><h2>${t("屏蔽词")}</h2>
    <${BlockedWords} words=${one.blocked_words} admin=${admin} empty=${t("这个群没有自己的屏蔽词")} onAdd=${(word) => act("block", { word })} onRemove=${(word) => act("unblock", { word })} />
    <h2>${t("黑名单")}</h2><div class="chips">${one.blacklist.map((each) => html`<span class="chip" key=${each.contact_id}>${each.name || each.contact_id}
      ${admin && html`<${Button} kind="bare" onClick=${() => forgive(each)}>${t("解除")}<//>`}</span>`)}${!one.blacklist.length && html`<span class="quiet">${t("没有人")}</span>`}</div></section>`;
}

const STATES = [["joined", "在群里"], ["invited", "已邀请"], ["waiting_friend", "等待加好友"], ["left", "已退群"], ["removed", "被移出"]];

function Members({ one, id, admin, act }) {
  const [state, setState] = useState("joined");
  const [adding, setAdding] = useState(false);
  const list = useList(`/qun/${id}/members?state=${state}`, "members");
  const on = async (what, who, question, button) => (await sure(question, button)) && (await act(what, { contact_id: who.contact_id })) && list.reload();
  const acts = (who) => html`<${Button} kind="bare" onClick=${() => on("warn", who, t("警告 {name}？群里会看到。", who), t("警告"))}>${t("警告")}<//>
    <${Button} kind="bare danger" onClick=${() => on("remove", who, t("把 {name} 移出群？", who), t("移出"))}>${t("移出")}<//>
    <${Button} kind="bare danger" onClick=${() => on("blacklist", who, t("拉黑 {name} 并移出群？", who), t("拉黑"))}>${t("拉黑")}<//>`;
  return html`<section class="stack"><div class="row wrap between"><h2>${t("群员")}</h2><div class="row wrap">
      <${Tabs} label=${t("群员状态")} value=${state} onChange=${setState} options=${STATES.map(([id, words]) => [id, t(words)])} />
      ${admin && html`<button type="button" class="plain" onClick=${() => setAdding(true)}>${t("添加群员")}</button>`}</div></div>
    <${Listing} list=${list} empty=${t("没有人")}><${Table} caption=${t("群员")} heads=${[t("昵称"), t("微信标识"), t("警告次数"), t("时间"), ""]}>${list.rows.map((who) => html`<tr key=${who.id}>
      <td class="text">${who.name}</td><td class="mono">${who.contact_id ?? "—"}</td><td class="number">${who.warnings || "—"}</td><td><${Time} at=${who.updated_at} /></td>
      <td class="act">${admin && state === "joined" && (who.exempt ? html`<span class="quiet small">${t("不受管理")}</span>` : acts(who))}</td></tr>`)}<//><//>
    ${adding && html`<${AddMember} one=${one} id=${id} onClose=${() => { setAdding(false); list.reload(); }} />`}</section>`;
}

const ADDED = { ok: "已入群", invited: "已邀请，等待对方或群主确认", pending: "还不是好友，成为好友后会自动入群", queued: "已排队" };

function AddMember({ one, id, onClose }) {
  const [chosen, setChosen] = useState(new Map());
  const add = async () => {
    const [friend] = chosen.values();
    await tryTo(async () => {
      const { approved } = await call("POST", `/qun/${id}/add`, { contact_id: friend.contact_id });
      toast(t(ADDED[approved]));
      onClose();
    });
  };
  return html`<${Dialog} title=${t("添加群员")} onClose=${onClose}>
    <${ChooseFriends} one assistant=${one.assistant} chosen=${chosen} setChosen=${setChosen} />
    <div class="end"><button type="button" class="plain" onClick=${onClose}>${t("取消")}</button><${Button} kind="main" disabled=${!chosen.size} onClick=${add}>${t("添加")}<//></div><//>`;
}
