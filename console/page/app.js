// The console: login, routing and the live connection.
import { call, useSession } from "./api.js";
import { listen } from "./live.js";
import { Button, Confirm, Toast, sure, tryTo, useLoad } from "./ui.js";
import { Icon } from "./shared/icons.js";
import { hasUnsaved, useUnsavedCount } from "./unsaved.js";
import { html, render, useEffect, useLayoutEffect, useState } from "./shared/preact.js";
import { Connections } from "./views/connections.js";
import { Group } from "./views/group.js";
import { Groups } from "./views/groups.js";
import { Knowledge } from "./views/knowledge.js";
import { Outreach } from "./views/outreach.js";
import { Overview } from "./views/overview.js";
import { Records } from "./views/records.js";
import { Settings } from "./views/settings.js";
import { Tickets } from "./views/tickets.js";
import { ago, language, t } from "./words.js";

const PAGES = [
  ["overview", "概览", Overview], ["tickets", "客服", Tickets], ["groups", "群", Groups], ["knowledge", "知识", Knowledge],
  ["outreach", "群发与定时", Outreach], ["connections", "对接", Connections], ["records", "记录", Records], ["settings", "设置", Settings],
];

const FITTING = 4; // pages in the bar of a phone; the others are behind a button

function route() {
  const [page, id = ""] = location.hash.replace(/^#\/?/, "").split("/");
  return { page: PAGES.some(([name]) => name === page) ? page : "overview", id };
}

function Console({ session }) {
  const [at, setAt] = useState(route());
  const [live, setLive] = useState(true);
  const [open, setOpen] = useState(false); // on phones: the pages that do not fit
  const { data, reload } = useLoad("/status", (change) => change.kind === "ticket" || change.kind === "account");
  useLayoutEffect(() => { // an effect would run a frame later and miss a change until then
    const moved = async (event) => {
      if (hasUnsaved() && !(await sure(t("放弃没有保存的内容？"), t("放弃")))) {
        history.replaceState(null, "", event.oldURL);
        return;
      }
      setAt(route());
      setOpen(false);
    };
    addEventListener("hashchange", moved);
    return () => removeEventListener("hashchange", moved);
  }, []);
  useEffect(() => {
    listen(session.after, setLive);
    const timer = setInterval(reload, 60000);
    return () => clearInterval(timer);
  }, [reload]);
  const waiting = data?.status.waiting ?? 0;
  const admin = session.role === "admin";
  const [, title, View] = PAGES.find(([name]) => name === at.page);
  useEffect(() => { document.title = `${waiting ? `(${waiting}) ` : ""}${t(title)} · wxbot`; }, [waiting, title]);
  const Page = at.page === "groups" && at.id ? Group : View;
  return html`<div class="shell">
    <nav class=${`side ${open ? "open" : ""}`} aria-label=${t("页面")}>
      <div class="brand"><img src="/console/page/icon.svg" alt="" />${t("微信智能服务助手")}</div>
      ${PAGES.filter(([name]) => admin || name !== "settings").map(([name, words], number) => html`<a class=${`place ${number < FITTING ? "" : "rest"}`} key=${name} href=${`#/${name}`}
        aria-current=${at.page === name ? "page" : undefined}><${Icon} name=${name} /><span>${t(words)}</span>
        ${name === "tickets" && waiting > 0 && html`<span class="count" aria-label=${t("{n} 个等待接待", { n: waiting })}>${waiting > 99 ? "99+" : waiting}</span>`}</a>`)}
      <button type="button" class="place more-pages" aria-expanded=${open} aria-current=${!open && PAGES.findIndex(([name]) => name === at.page) >= FITTING ? "page" : undefined}
        onClick=${() => setOpen(!open)}><${Icon} name="more" /><span>${t("更多")}</span></button>
      <${Foot} session=${session} />
    </nav>
    <${Edge} away=${data?.status.away ?? []} live=${live} />
    <main class=${`stage ${at.page === "tickets" ? "wide" : ""}`} data-live=${live}>
      <${Page} key=${at.page + (at.page === "groups" ? at.id : "")} id=${at.id} session=${session} admin=${admin} />
    </main>
  </div>`;
}

/** What every page shows: accounts that are away, a lost connection, and what is not saved. */
function Edge({ away, live }) {
  const unsaved = useUnsavedCount();
  const long = away.filter((one) => one.long);
  return html`<div class="edge">
    ${long.length > 0 && html`<a class="alert bad" role="alert" href="#/overview">${long.map((one) => t("{account} 已离线（{t}）", { account: one.account, t: ago(one.since) })).join(t("，"))}</a>`}
    ${!live && html`<div class="alert warn" role="alert">${t("连接断开了，正在重新连接…")}</div>`}
    ${unsaved > 0 && html`<div class="alert warn" role="status">${t("有修改还没有保存")}</div>`}
  </div>`;
}

function Foot({ session }) {
  const dark = document.documentElement.dataset.theme === "dark" || (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
  const keep = (name, value) => { localStorage.setItem(name, value); location.reload(); };
  return html`<div class="foot small">
    <div><b>${session.name || t("管理员")}</b><br /><span class="quiet">${session.role === "admin" ? t("管理员") : t("客服")}</span></div>
    <div class="row">
      <button type="button" class="bare" lang=${language === "en" ? "zh-CN" : "en"} onClick=${() => keep("wxbot-language", language === "en" ? "zh" : "en")}>${language === "en" ? "中文" : "English"}</button>
      <button type="button" class="bare" onClick=${() => keep("wxbot-theme", dark ? "light" : "dark")}>${dark ? t("浅色") : t("深色")}</button>
      <${Button} kind="bare" onClick=${() => tryTo(async () => { await call("POST", "/logout", {}); location.reload(); })}>${t("退出")}<//>
    </div>
  </div>`;
}

function Door({ reason }) {
  return html`<main class="sign-in"><h1>${t("登录管理后台")}</h1>
    <p>${t("请在微信里对助手说 /登录，然后打开它回复的链接。")}</p>
    <p class="quiet">${t("管理员和客服群的成员可以登录。还没有管理员时，链接在启动 wxbot 的终端上。")}</p>
    ${reason && html`<p class="error">${reason}</p>`}</main>`;
}

function App() {
  const [state, setState] = useState({ asked: false });
  useEffect(() => {
    call("GET", "/session").then(({ session }) => {
      useSession(session, () => setState({ asked: true }));
      setState({ asked: true, session });
    }, (error) => setState({ asked: true, reason: error.status === 401 ? "" : error.message }));
  }, []);
  if (!state.asked) return null;
  return html`${state.session ? html`<${Console} session=${state.session} />` : html`<${Door} reason=${state.reason} />`}<${Toast} /><${Confirm} />`;
}

document.documentElement.lang = language === "en" ? "en" : "zh-CN";
render(html`<${App} />`, document.getElementById("app"));
