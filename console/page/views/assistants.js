// The accounts: state and login QR code, staff room; added, logged out, removed.
import { call, query } from "../api.js";
import { Button, Dialog, Field, Listing, State, sure, tryTo, useLoad } from "../ui.js";
import { useUnsaved } from "../unsaved.js";
import { html, useState } from "../shared/preact.js";
import { ago, t } from "../words.js";
import { Scan } from "./overview.js";

export function Assistants({ all, reload }) {
  const [open, setOpen] = useState(null); // "new", or the account whose staff room is chosen
  const close = () => setOpen(null);
  return html`<section class="stack"><div class="row between"><h2>${t("助手")}</h2><button type="button" class="plain" onClick=${() => setOpen("new")}>${t("添加助手")}</button></div>
    <div class="cards">${all.assistants.map((one) => html`<${Account} key=${one.account} one=${one} reload=${reload} choose=${() => setOpen(one)} />`)}</div>
    ${open === "new" && html`<${Add} onClose=${close} reload=${reload} />`}${open && open !== "new" && html`<${StaffRoom} one=${open} onClose=${close} reload=${reload} />`}</section>`;
}

function Account({ one, reload, choose }) {
  const path = `/assistant/${encodeURIComponent(one.account)}`;
  const act = (method, what, done) => tryTo(async () => { await call(method, `${path}${what}`, method === "POST" ? {} : undefined); await reload(); }, done);
  const logOut = async () => (await sure(t("让 {account} 退出微信？之后要扫码才能再登录。", one), t("退出微信"))) && act("POST", "/logout", t("已退出微信"));
  const remove = async () => (await sure(t("移除助手 {account}？它的群和消息记录会保留。", one), t("移除"))) && act("DELETE", "", t("已移除"));
  return html`<section class="card stack" aria-label=${one.account}><div class="row between"><h3 class="grow">${one.account}</h3><${State} of=${one.state} /></div>
    ${one.away_long && html`<p class="error">${t("已离线：{t}", { t: ago(one.away_since) })}</p>`}
    ${one.reason && html`<p class="warning">${one.reason}</p>`}
    ${one.scan !== "none" && html`<${Scan} one=${one} admin />`}
    <dl class="facts small"><dt>${t("客服群")}</dt><dd>${one.staff_room || t("还没有绑定")}</dd><dt>${t("来自")}</dt><dd>${one.configured ? t("配置文件") : t("后台或接口添加")}</dd></dl>
    <div class="row wrap"><button type="button" class="plain slim" onClick=${choose}>${t("选择客服群")}</button>
      ${one.can_log_out && one.state === "online" && html`<${Button} kind="slim danger" onClick=${logOut}>${t("退出微信")}<//>`}
      ${!one.configured && html`<${Button} kind="slim danger" onClick=${remove}>${t("移除")}<//>`}</div></section>`;
}

function Add({ onClose, reload }) {
  const [form, setForm] = useState({ account: "", endpoint: "", token: "", tls: "auto" });
  const set = (name) => (event) => setForm((before) => ({ ...before, [name]: event.target.value }));
  const changed = Boolean(form.account || form.endpoint || form.token);
  useUnsaved(changed);
  const tls = { auto: "auto", true: true, false: false }[form.tls];
  const save = async () => {
    if (await tryTo(() => call("POST", "/assistant", { ...form, account: form.account.trim(), endpoint: form.endpoint.trim(), tls }), t("已添加"))) { await reload(); onClose(); }
  };
  return html`<${Dialog} title=${t("添加助手")} onClose=${onClose} changed=${changed}>
    <${Field} label=${t("名称（业务系统用它指明助手）")}><input type="text" maxlength="64" autocomplete="off" value=${form.account} onInput=${set("account")} /><//>
    <${Field} label=${t("网关地址（host:port）")}><input type="text" maxlength="256" autocomplete="off" placeholder="10.0.0.8:8788" value=${form.endpoint} onInput=${set("endpoint")} /><//>
    <${Field} label=${t("网关令牌")}><input type="password" maxlength="256" autocomplete="new-password" value=${form.token} onInput=${set("token")} /><//>
    <${Field} label="TLS"><select value=${form.tls} onChange=${set("tls")}><option value="auto">${t("自动")}</option><option value="true">${t("使用")}</option><option value="false">${t("不使用")}</option></select><//>
    <div class="end"><button type="button" class="plain" onClick=${onClose}>${t("取消")}</button><${Button} kind="main" disabled=${!form.account.trim() || !form.endpoint.trim()} onClick=${save}>${t("添加")}<//></div><//>`;
}

function StaffRoom({ one, onClose, reload }) {
  const [q, setQ] = useState("");
  const path = `/assistant/${encodeURIComponent(one.account)}`;
  const list = useLoad(`${path}/room${query({ q })}`);
  const rows = list.data?.rooms ?? [];
  const bind = async (room) => {
    const sureOf = await sure(t("把“{topic}”设为客服群？群里的 {members} 人都能以客服身份登录后台、回复客户。", room), t("设为客服群"));
    if (sureOf && (await tryTo(() => call("POST", `${path}/staff-room`, { room: room.id }), t("已绑定")))) { await reload(); onClose(); }
  };
  return html`<${Dialog} title=${t("选择客服群")} onClose=${onClose}>
    <input type="search" aria-label=${t("查找群")} placeholder=${t("查找群")} value=${q} onInput=${(event) => setQ(event.target.value)} />
    <div class="pick"><${Listing} list=${{ ...list, rows }} empty=${t("没有找到。")}>${rows.map((room) => html`<div class="choice" key=${room.id}><span class="grow">${room.topic || room.id}</span><span class="quiet small">${t("{n} 人", { n: room.members })}</span>
      ${room.bound ? html`<span class="state good">${t("现在的客服群")}</span>` : html`<${Button} kind="bare" onClick=${() => bind(room)}>${t("设为客服群")}<//>`}</div>`)}
      ${list.data?.more && html`<p class="quiet small pad">${t("还有更多，输入群名查找。")}</p>`}<//></div>
    <div class="end"><button type="button" class="plain" onClick=${onClose}>${t("关闭")}</button></div><//>`;
}
