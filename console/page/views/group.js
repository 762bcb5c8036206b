// One group, with everything that the chat commands can do.
import { call } from "../api.js";
import { Chart } from "../chart.js";
import { ChooseFriends } from "../choose.js";
import { Dialog, attempt, confirmAction, toast, useDialog } from "../dialogs.js";
import { useList, useLoad } from "../load.js";
import { html, useState } from "../shared/preact.js";
import { useTyped } from "../shared/typed.js";
import { Button, Field, Listing, Loaded, State, Table, Tabs, Time } from "../ui.js";
import { useUnsaved } from "../unsaved.js";
import { t } from "../words.js";
import { BlockedWords } from "./groups.js";

export function Group({ id, admin }) {
  const resource = useLoad(`/qun/${id}`);
  const loaded = resource.data?.qun;
  const isOpen = loaded && loaded.state !== "closed";
  const act = (action, body = {}, success = t("完成")) => attempt(async () => {
    await call("POST", `/qun/${id}/${action}`, body);
    await resource.reload();
  }, success);
  const close = async () => {
    if (await confirmAction(t("关闭这个群？助手会告知群员并退群，不能撤销。"), t("关闭群"))) await act("close");
  };
  return html`<div class="heading"><a class="button" href="#/groups" aria-label=${t("返回列表")}>‹</a>
      <h1>${loaded?.topic ?? id}</h1>${loaded && html`<${State} of=${loaded.state} />`}
      ${isOpen && admin && html`<div class="tools"><${Button} kind="danger" onClick=${close}>${t("关闭群")}<//></div>`}</div>
    <${Loaded} resource=${resource}>${({ qun: group }) => html`<div class="stack"><div class="columns">
      <${Facts} group=${group} admin=${admin} act=${act} />
      <${Texts} key=${group.number} group=${group} id=${id} admin=${admin && isOpen} reload=${resource.reload} />
      <${Moderation} group=${group} admin=${admin} act=${act} /><${Activity} days=${group.days} />
    </div><${Members} group=${group} id=${id} admin=${admin && isOpen} act=${act} /></div>`}<//>`;
}

function Activity({ days }) {
  const valuesOf = (name) => days.map((day) => day[name]);
  const series = [
    [t("消息"), valuesOf("messages"), "--brand"],
    [t("入群"), valuesOf("joins"), "--warn"],
    [t("退群"), valuesOf("leaves"), "--bad"],
  ];
  return html`<section class="card stack"><h2>${t("近 14 天")}</h2>
    <${Chart} label=${t("近 14 天")} days=${valuesOf("day")} series=${series} /></section>`;
}

function Facts({ group, admin, act }) {
  const changeToken = async () => {
    if (await confirmAction(t("换令牌？旧的令牌马上作废。"), t("换令牌"))) await act("token", {}, t("令牌已更换"));
  };
  return html`<section class="card stack"><h2>${t("群信息")}</h2><dl class="facts">
      <dt>${t("编号")}</dt><dd class="number">${group.number}</dd><dt>${t("代码")}</dt><dd class="mono">${group.code}</dd>
      <dt>${t("群主")}</dt><dd>${group.owner}</dd><dt>${t("助手")}</dt><dd>${group.assistant}</dd>
      <dt>${t("人数")}</dt><dd class="number">${group.members} / ${group.capacity}</dd>
      ${admin && html`<dt>${t("入群链接")}</dt><dd class="mono"><a href=${group.url} target="_blank" rel="noopener">${group.url}</a></dd>
        <dt>${t("入群令牌")}</dt><dd class="mono">${group.token}</dd>`}</dl>
    ${admin && group.state !== "closed" && html`
      <img class="qr" src=${`/console/api/qun/${group.number}/qr.svg`} alt=${t("入群二维码")} />
      <div class="row"><${Button} onClick=${changeToken}>${t("换令牌")}<//></div>`}</section>`;
}

function Texts({ group, ...shared }) {
  return html`<section class="card stack"><h2>${t("文字")}</h2>
    <${Text} name="topic" label=${t("群名")} value=${group.topic} maxLength="30" ...${shared} />
    <${Text} name="announcement" label=${t("群公告（会通知所有人）")} value=${group.announcement ?? ""} maxLength="2000" long
      ...${shared} />
    <${Text} name="welcome" label=${t("欢迎语（留空用配置里的）")} value=${group.welcome ?? ""} maxLength="500" long optional
      ...${shared} /></section>`;
}

function Text({ name, label, value, maxLength, id, admin, reload, long, optional }) {
  const [text, setText, store] = useTyped(value);
  const changed = text !== value;
  useUnsaved(changed);
  const save = () => store((typed) => attempt(async () => {
    await call("PATCH", `/qun/${id}`, { [name]: typed || null });
    await reload();
  }, t("已保存")));
  const attributes = { value: text, maxlength: maxLength, disabled: !admin, onInput: (event) => setText(event.target.value) };
  const input = long ? html`<textarea ...${attributes}></textarea>` : html`<input type="text" ...${attributes} />`;
  return html`<${Field} label=${label} changed=${changed}>${input}<//>
    ${admin && changed && html`<div class="row">
      <${Button} kind="main slim" disabled=${!optional && !text.trim()} onClick=${save}>${t("保存")}<//>
      <${Button} kind="slim" onClick=${() => setText(value)}>${t("放弃修改")}<//></div>`}`;
}

function Moderation({ group, admin, act }) {
  const forgive = (contact) => act("forgive", { contact_id: contact.contact_id }, t("已解除拉黑"));
  const chip = (contact) => html`<span class="chip" key=${contact.contact_id}>${contact.name || contact.contact_id}
    ${admin && html`<${Button} kind="bare" onClick=${() => forgive(contact)}>${t("解除")}<//>`}</span>`;
  return html`<section class="card stack"><h2>${t("屏蔽词")}</h2>
    <${BlockedWords} words=${group.blocked_words} admin=${admin} empty=${t("这个群没有自己的屏蔽词")}
      onAdd=${(word) => act("block", { word })} onRemove=${(word) => act("unblock", { word })} />
    <h2>${t("黑名单")}</h2><div class="chips">${group.blacklist.map(chip)}
      ${!group.blacklist.length && html`<span class="muted">${t("没有人")}</span>`}</div></section>`;
}

const STATES = [["joined", "在群里"], ["invited", "已邀请"], ["waiting_friend", "等待加好友"], ["left", "已退群"], ["removed", "被移出"]];

function Members({ group, id, admin, act }) {
  const [state, setState] = useState("joined");
  const [dialog, openDialog] = useDialog();
  const list = useList(`/qun/${id}/members?state=${state}`, "members");
  const closeDialog = () => { dialog.close(); list.reload(); };
  const row = (member) => html`<tr key=${member.id}>
    <td class="text">${member.name}</td><td class="mono">${member.contact_id ?? "—"}</td>
    <td class="number">${member.warnings || "—"}</td><td><${Time} at=${member.updated_at} /></td>
    <td class="actions">${admin && state === "joined"
      && html`<${MemberActions} member=${member} act=${act} reload=${list.reload} />`}</td></tr>`;
  return html`<section class="stack"><div class="row wrap between"><h2>${t("群员")}</h2><div class="row wrap">
      <${Tabs} label=${t("群员状态")} value=${state} onChange=${setState} options=${STATES.map(([name, text]) => [name, t(text)])} />
      ${admin && html`<button type="button" class="plain" onClick=${() => openDialog()}>${t("添加群员")}</button>`}</div></div>
    <${Listing} list=${list} empty=${t("没有人")}>
      <${Table} caption=${t("群员")} headings=${[t("昵称"), t("微信标识"), t("警告次数"), t("时间"), ""]}>${list.rows.map(row)}<//><//>
    ${dialog && html`<${AddMember} key=${dialog.id} group=${group} id=${id} onClose=${closeDialog} />`}</section>`;
}

function MemberActions({ member, act, reload }) {
  if (member.exempt) return html`<span class="muted small">${t("不受管理")}</span>`;
  const ask = async (action, question, button) => {
    if (!(await confirmAction(question, button))) return;
    if (await act(action, { contact_id: member.contact_id })) await reload();
  };
  const warn = () => ask("warn", t("警告 {name}？群里会看到。", member), t("警告"));
  const remove = () => ask("remove", t("把 {name} 移出群？", member), t("移出"));
  const blacklist = () => ask("blacklist", t("拉黑 {name} 并移出群？", member), t("拉黑"));
  return html`<${Button} kind="bare" onClick=${warn}>${t("警告")}<//>
    <${Button} kind="bare danger" onClick=${remove}>${t("移出")}<//>
    <${Button} kind="bare danger" onClick=${blacklist}>${t("拉黑")}<//>`;
}

const RESULTS = { ok: "已入群", invited: "已邀请，等待对方或群主确认", pending: "还不是好友，成为好友后会自动入群", queued: "已排队" };

function AddMember({ group, id, onClose }) {
  const [chosen, setChosen] = useState(new Map());
  const add = () => attempt(async () => {
    const [friend] = chosen.values();
    const { approved } = await call("POST", `/qun/${id}/add`, { contact_id: friend.contact_id });
    toast(t(RESULTS[approved]));
    onClose();
  });
  return html`<${Dialog} title=${t("添加群员")} onClose=${onClose}>
    <${ChooseFriends} single assistant=${group.assistant} chosen=${chosen} setChosen=${setChosen} />
    <div class="dialog-buttons"><button type="button" class="plain" onClick=${onClose}>${t("取消")}</button>
      <${Button} kind="main" disabled=${!chosen.size} onClick=${add}>${t("添加")}<//></div><//>`;
}
