// 设置: accounts; admins, staff and sessions; the config in force and what a reload would change.
import { call } from "../api.js";
import { Button, Listing, Table, Time, sure, tryTo, useLoad } from "../ui.js";
import { html, useState } from "../shared/preact.js";
import { t } from "../words.js";
import { Assistants } from "./assistants.js";

export function Settings() {
  const list = useLoad("/settings", (change) => change.kind === "account");
  const all = list.data;
  return html`<div class="heading"><h1>${t("设置")}</h1></div><${Listing} list=${{ ...list, rows: all ? [1] : [] }} empty="">${all && html`<div class="stack">
    <${Assistants} all=${all} reload=${list.reload} />
    <div class="halves"><${Admins} all=${all} reload=${list.reload} /><${Staff} all=${all} /></div>
    <${Sessions} all=${all} reload=${list.reload} /><${Config} all=${all} reload=${list.reload} /></div>`}<//>`;
}

function Admins({ all, reload }) {
  const [contact, setContact] = useState("");
  const add = async (event) => {
    event.preventDefault();
    if (await tryTo(async () => { await call("POST", "/admin", { contact }); await reload(); }, t("已添加"))) setContact("");
  };
  const remove = async (one) => (await sure(t("{name} 不再是管理员？", one), t("移除"))) && tryTo(async () => { await call("DELETE", `/admin/${one.id}`); await reload(); }, t("已移除"));
  return html`<section class="card stack"><h2>${t("管理员")}</h2>
    ${all.admins.map((one) => html`<div class="row between" key=${one.contact_id}><span class="grow">${one.name} <span class="mono quiet">${one.contact_id}</span></span>
      ${one.id ? html`<${Button} kind="bare danger" onClick=${() => remove(one)}>${t("移除")}<//>` : html`<span class="quiet small">${t("配置文件")}</span>`}</div>`)}
    ${!all.admins.length && html`<p class="quiet">${t("还没有管理员：向助手发送终端上的绑定码即可成为管理员。")}</p>`}
    <form class="row" onSubmit=${add}><input type="text" aria-label=${t("微信号或微信标识")} placeholder=${t("微信号或微信标识（须是助手的好友）")} value=${contact} onInput=${(event) => setContact(event.target.value)} />
      <button class="plain" disabled=${!contact.trim()}>${t("添加")}</button></form></section>`;
}

function Staff({ all }) {
  return html`<section class="card stack"><h2>${t("客服人员")}</h2>${all.staff.map((one) => html`<div class="stack tight" key=${one.assistant}>
    <div><b>${one.assistant}</b> <span class="quiet">${one.room || t("还没有客服群：在群里发送 /绑定客服群，或在上面选一个群")}</span></div>
    <div class="chips">${one.people.map((person) => html`<span class="chip" key=${person.id}>${person.name} </span>`)}</div></div>`)}</section>`;
}

function Sessions({ all, reload }) {
  const end = (one) => tryTo(async () => { await call("DELETE", `/session/${one.id}`); await reload(); }, t("已退出"));
  return html`<section class="stack"><h2>${t("登录")}</h2><${Table} caption=${t("登录")} heads=${[t("用户"), t("地址"), t("登录于"), t("最近使用"), ""]}>${all.sessions.map((one) => html`<tr key=${one.id}>
    <td>${one.name}${one.mine && html` <span class="quiet small">${t("（本次登录）")}</span>`}</td><td class="mono">${one.address}</td><td><${Time} at=${one.created_at} /></td><td><${Time} at=${one.seen_at} /></td>
    <td class="act">${!one.mine && html`<${Button} kind="bare danger" onClick=${() => end(one)}>${t("结束")}<//>`}</td></tr>`)}<//></section>`;
}

function Config({ all, reload }) {
  const [plan, setPlan] = useState(null);
  const look = () => tryTo(async () => setPlan((await call("GET", "/settings/preview")).preview));
  const take = async () => {
    let result = {};
    await tryTo(async () => {
      result = (await call("POST", "/settings/reload", {})).reload;
      await reload();
    });
    setPlan(result.error ? result : { done: result.changed ?? [] });
  };
  return html`<section class="card stack"><div class="row wrap between"><h2>${t("当前配置")}</h2><${Button} onClick=${look}>${t("预览重新加载的更改")}<//></div>
    ${plan && html`<div class="stack" role="status"><${Plan} plan=${plan} take=${take} /></div>`}
    <div>${Object.entries(all.config_text).map(([name, text]) => html`<details key=${name}><summary class="mono">${name}</summary><pre class="config" tabindex="0" aria-label=${name}>${text}</pre></details>`)}</div></section>`;
}

function Plan({ plan, take }) {
  if (plan.error) return html`<p class="error">${plan.error}</p>`;
  if (plan.done) return html`<p>${plan.done.length ? t("已重新加载：{what}", { what: plan.done.join(t("、")) }) : t("没有变化。")}</p>`;
  return html`<p>${plan.changed.length ? t("将更新：{what}", { what: plan.changed.join(t("、")) }) : t("没有变化。")}</p>
    ${plan.restart.length > 0 && html`<p class="warning">${t("需要重启才能生效：{what}", { what: plan.restart.join(t("、")) })}</p>`}
    ${plan.changed.length > 0 && html`<div class="row"><${Button} kind="main" onClick=${take}>${t("重新加载")}<//></div>`}`;
}
