// 设置: accounts; admins, staff and sessions; the configuration in force and what a reload would change.
import { call } from "../api.js";
import { attempt, confirmAction } from "../dialogs.js";
import { useLoad } from "../load.js";
import { html, useState } from "../shared/preact.js";
import { Button, Loaded, Table, Time, useSubmit } from "../ui.js";
import { t } from "../words.js";
import { Assistants } from "./assistants.js";

export function Settings() {
  const resource = useLoad("/settings", (change) => change.kind === "account");
  const { reload } = resource;
  return html`<div class="heading"><h1>${t("设置")}</h1></div><${Loaded} resource=${resource}>${(settings) => html`<div class="stack">
    <${Assistants} assistants=${settings.assistants} reload=${reload} />
    <div class="columns"><${Admins} admins=${settings.admins} reload=${reload} /><${Staff} staff=${settings.staff} /></div>
    <${Sessions} sessions=${settings.sessions} reload=${reload} /><${Config} files=${settings.config_text} reload=${reload} />
  </div>`}<//>`;
}

function Admins({ admins, reload }) {
  const [contact, setContact] = useState("");
  const [submit, isAdding] = useSubmit(async () => {
    const add = async () => { await call("POST", "/admin", { contact }); await reload(); };
    if (await attempt(add, t("已添加"))) setContact("");
  });
  const remove = async (admin) => {
    if (!(await confirmAction(t("{name} 不再是管理员？", admin), t("移除")))) return;
    await attempt(async () => { await call("DELETE", `/admin/${admin.id}`); await reload(); }, t("已移除"));
  };
  const row = (admin) => html`<div class="row between" key=${admin.contact_id}>
    <span class="grow">${admin.name} <span class="mono muted">${admin.contact_id}</span></span>
    ${admin.id ? html`<${Button} kind="bare danger" onClick=${() => remove(admin)}>${t("移除")}<//>`
      : html`<span class="muted small">${t("配置文件")}</span>`}</div>`;
  return html`<section class="card stack"><h2>${t("管理员")}</h2>
    ${admins.map(row)}
    ${!admins.length && html`<p class="muted">${t("还没有管理员：向助手发送终端上的绑定码即可成为管理员。")}</p>`}
    <form class="row" onSubmit=${submit}>
      <input type="text" aria-label=${t("微信号或微信标识")} placeholder=${t("微信号或微信标识（须是助手的好友）")} value=${contact}
        onInput=${(event) => setContact(event.target.value)} />
      <button class="plain" aria-busy=${isAdding} disabled=${!contact.trim()}>${t("添加")}</button></form></section>`;
}

function Staff({ staff }) {
  const team = ({ assistant, room, people }) => html`<div class="stack tight" key=${assistant}>
    <div><b>${assistant}</b> <span class="muted">${room || t("还没有客服群：在群里发送 /绑定客服群，或在上面选一个群")}</span></div>
    <div class="chips">${people.map(({ id, name }) => html`<span class="chip" key=${id}>${name} </span>`)}</div></div>`;
  return html`<section class="card stack"><h2>${t("客服人员")}</h2>${staff.map(team)}</section>`;
}

function Sessions({ sessions, reload }) {
  const end = (session) => attempt(async () => {
    await call("DELETE", `/session/${session.id}`);
    await reload();
  }, t("已退出"));
  const row = (session) => html`<tr key=${session.id}>
    <td>${session.name}${session.mine && html` <span class="muted small">${t("（本次登录）")}</span>`}</td>
    <td class="mono">${session.address}</td><td><${Time} at=${session.created_at} /></td><td><${Time} at=${session.seen_at} /></td>
    <td class="actions">${!session.mine
      && html`<${Button} kind="bare danger" onClick=${() => end(session)}>${t("结束")}<//>`}</td></tr>`;
  return html`<section class="stack"><h2>${t("登录")}</h2>
    <${Table} caption=${t("登录")} headings=${[t("用户"), t("地址"), t("登录于"), t("最近使用"), ""]}>${sessions.map(row)}<//></section>`;
}

function Config({ files, reload }) {
  const [status, setStatus] = useState(null); // { changed, restart }: a preview; { done } or { error }: the result of a reload
  const preview = () => attempt(async () => setStatus((await call("GET", "/settings/preview")).preview));
  const apply = () => attempt(async () => {
    const result = (await call("POST", "/settings/reload", {})).reload;
    setStatus(result.error ? result : { done: result.changed ?? [] });
    await reload();
  });
  const file = ([name, text]) => html`<details key=${name}><summary class="mono">${name}</summary>
    <pre class="config" tabindex="0" aria-label=${name}>${text}</pre></details>`;
  return html`<section class="card stack"><div class="row wrap between"><h2>${t("当前配置")}</h2>
      <${Button} onClick=${preview}>${t("预览重新加载的更改")}<//></div>
    ${status && html`<div class="stack" role="status"><${ReloadStatus} status=${status} apply=${apply} /></div>`}
    <div>${Object.entries(files).map(file)}</div></section>`;
}

function ReloadStatus({ status: { error, done, changed, restart }, apply }) {
  const sentence = (text, names) => (names.length ? t(text, { what: names.join(t("、")) }) : t("没有变化。"));
  if (error) return html`<p class="error">${error}</p>`;
  if (done) return html`<p>${sentence("已重新加载：{what}", done)}</p>`;
  return html`<p>${sentence("将更新：{what}", changed)}</p>
    ${restart.length > 0 && html`<p class="warning">${sentence("需要重启才能生效：{what}", restart)}</p>`}
    ${changed.length > 0 && html`<div class="row"><${Button} kind="main" onClick=${apply}>${t("重新加载")}<//></div>`}`;
}
