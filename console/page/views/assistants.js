// The accounts: state and login QR code, staff room; added, logged out, removed.
import { call, query } from "../api.js";
import { Dialog, attempt, confirmAction, useDialog } from "../dialogs.js";
import { useLoad } from "../load.js";
import { html, useState } from "../shared/preact.js";
import { Button, Field, Listing, SearchField, State } from "../ui.js";
import { useUnsaved } from "../unsaved.js";
import { formatAge, t } from "../words.js";
import { LoginCode } from "./login-code.js";

const pathOf = (account) => `/assistant/${encodeURIComponent(account.account)}`;

export function Assistants({ assistants, reload }) {
  const [addition, openAddition] = useDialog();
  const [choice, openChoice] = useDialog(); // of the staff room of an account
  return html`<section class="stack"><div class="row between"><h2>${t("助手")}</h2>
      <button type="button" class="plain" onClick=${() => openAddition()}>${t("添加助手")}</button></div>
    <div class="cards">${assistants.map((account) => html`<${Account} key=${account.account} account=${account} reload=${reload}
      chooseStaffRoom=${() => openChoice(account)} />`)}</div>
    ${addition && html`<${AddAssistant} key=${addition.id} onClose=${addition.close} reload=${reload} />`}
    ${choice && html`<${ChooseStaffRoom} key=${choice.id} account=${choice.subject} onClose=${choice.close} reload=${reload} />`}
  </section>`;
}

function Account({ account, reload, chooseStaffRoom }) {
  const logOut = async () => {
    if (!(await confirmAction(t("让 {account} 退出微信？之后要扫码才能再登录。", account), t("退出微信")))) return;
    await attempt(async () => { await call("POST", `${pathOf(account)}/logout`, {}); await reload(); }, t("已退出微信"));
  };
  const remove = async () => {
    if (!(await confirmAction(t("移除助手 {account}？它的群和消息记录会保留。", account), t("移除")))) return;
    await attempt(async () => { await call("DELETE", pathOf(account)); await reload(); }, t("已移除"));
  };
  const canLogOut = account.can_log_out && account.state === "online";
  return html`<section class="card stack" aria-label=${account.account}>
    <div class="row between"><h3 class="grow">${account.account}</h3><${State} of=${account.state} /></div>
    ${account.away_long && html`<p class="error">${t("已离线：{t}", { t: formatAge(account.away_since) })}</p>`}
    ${account.reason && html`<p class="warning">${account.reason}</p>`}
    ${account.scan !== "none" && html`<${LoginCode} account=${account} admin />`}
    <dl class="facts small"><dt>${t("客服群")}</dt><dd>${account.staff_room || t("还没有绑定")}</dd>
      <dt>${t("来自")}</dt><dd>${account.configured ? t("配置文件") : t("后台或接口添加")}</dd></dl>
    <div class="row wrap"><button type="button" class="plain slim" onClick=${chooseStaffRoom}>${t("选择客服群")}</button>
      ${canLogOut && html`<${Button} key="log-out" kind="slim danger" onClick=${logOut}>${t("退出微信")}<//>`}
      ${!account.configured && html`<${Button} key="remove" kind="slim danger" onClick=${remove}>${t("移除")}<//>`}</div></section>`;
}

const TLS_VALUES = { auto: "auto", true: true, false: false };

function AddAssistant({ onClose, reload }) {
  const [form, setForm] = useState({ account: "", endpoint: "", token: "", tls: "auto" });
  const set = (name) => (event) => setForm((before) => ({ ...before, [name]: event.target.value }));
  const account = form.account.trim();
  const endpoint = form.endpoint.trim();
  const changed = Boolean(form.account || form.endpoint || form.token);
  useUnsaved(changed);
  const save = async () => {
    const body = { account, endpoint, token: form.token, tls: TLS_VALUES[form.tls] };
    if (!(await attempt(() => call("POST", "/assistant", body), t("已添加")))) return;
    await reload();
    onClose();
  };
  return html`<${Dialog} title=${t("添加助手")} onClose=${onClose} changed=${changed}>
    <${Field} label=${t("名称（业务系统用它指明助手）")}>
      <input type="text" maxlength="64" autocomplete="off" value=${form.account} onInput=${set("account")} /><//>
    <${Field} label=${t("网关地址（host:port）")}>
      <input type="text" maxlength="256" autocomplete="off" placeholder="10.0.0.8:8788" value=${form.endpoint}
        onInput=${set("endpoint")} /><//>
    <${Field} label=${t("网关令牌")}>
      <input type="password" maxlength="256" autocomplete="new-password" value=${form.token} onInput=${set("token")} /><//>
    <${Field} label="TLS"><select value=${form.tls} onChange=${set("tls")}><option value="auto">${t("自动")}</option>
      <option value="true">${t("使用")}</option><option value="false">${t("不使用")}</option></select><//>
    <div class="dialog-buttons"><button type="button" class="plain" onClick=${onClose}>${t("取消")}</button>
      <${Button} kind="main" disabled=${!account || !endpoint} onClick=${save}>${t("添加")}<//></div><//>`;
}

function ChooseStaffRoom({ account, onClose, reload }) {
  const [q, setQ] = useState("");
  const list = useLoad(`${pathOf(account)}/room${query({ q })}`);
  const rows = list.data?.rooms ?? [];
  const bind = async (room) => {
    const question = t("把“{topic}”设为客服群？群里的 {members} 人都能以客服身份登录后台、回复客户。", room);
    if (!(await confirmAction(question, t("设为客服群")))) return;
    if (!(await attempt(() => call("POST", `${pathOf(account)}/staff-room`, { room: room.id }), t("已绑定")))) return;
    await reload();
    onClose();
  };
  const choice = (room) => html`<div class="choice" key=${room.id}><span class="grow">${room.topic || room.id}</span>
    <span class="muted small">${t("{n} 人", { n: room.members })}</span>
    ${room.bound ? html`<span class="state good">${t("现在的客服群")}</span>`
      : html`<${Button} kind="bare" onClick=${() => bind(room)}>${t("设为客服群")}<//>`}</div>`;
  return html`<${Dialog} title=${t("选择客服群")} onClose=${onClose}>
    <${SearchField} label=${t("查找群")} value=${q} onChange=${setQ} />
    <div class="picker"><${Listing} list=${{ ...list, rows }} empty=${t("没有找到。")}>${rows.map(choice)}
      ${list.data?.more && html`<p class="muted small padded">${t("还有更多，输入群名查找。")}</p>`}<//></div>
    <div class="dialog-buttons"><button type="button" class="plain" onClick=${onClose}>${t("关闭")}</button></div><//>`;
}
