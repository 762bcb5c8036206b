// What is around every page: navigation, notices and the menu of the user.
import { call } from "./api.js";
import { attempt } from "./dialogs.js";
import { openStream } from "./live.js";
import { useLoad } from "./load.js";
import { useRoute } from "./route.js";
import { Icon } from "./shared/icons.js";
import { html, useEffect, useState } from "./shared/preact.js";
import { Button } from "./ui.js";
import { useUnsavedCount } from "./unsaved.js";
import { Connections } from "./views/connections.js";
import { Group } from "./views/group.js";
import { Groups } from "./views/groups.js";
import { Knowledge } from "./views/knowledge.js";
import { Outreach } from "./views/outreach.js";
import { Overview } from "./views/overview.js";
import { Records } from "./views/records.js";
import { Settings } from "./views/settings.js";
import { Tickets } from "./views/tickets.js";
import { formatAge, language, t } from "./words.js";

const PAGES = [
  { name: "overview", title: "概览", View: Overview },
  { name: "tickets", title: "客服", View: Tickets },
  { name: "groups", title: "群", View: Groups },
  { name: "knowledge", title: "知识", View: Knowledge },
  { name: "outreach", title: "群发与定时", View: Outreach },
  { name: "connections", title: "对接", View: Connections },
  { name: "records", title: "记录", View: Records },
  { name: "settings", title: "设置", View: Settings },
];
const PHONE_PAGES = 4; // in the bar of a phone; the others are behind a button
const STATUS_INTERVAL = 60_000; // milliseconds

export function Shell({ session }) {
  const [isMenuOpen, setIsMenuOpen] = useState(false); // on phones: the pages that are not in the bar
  const [isLive, setIsLive] = useState(true);
  const route = useRoute(() => setIsMenuOpen(false));
  const { data, reload } = useLoad("/status", (change) => change.kind === "ticket" || change.kind === "account");
  useEffect(() => openStream(session.after, setIsLive), []);
  useEffect(() => {
    const timer = setInterval(reload, STATUS_INTERVAL);
    return () => clearInterval(timer);
  }, [reload]);
  const waiting = data?.status.waiting ?? 0;
  const page = PAGES.find(({ name }) => name === route.page) ?? PAGES[0];
  useEffect(() => { document.title = `${waiting ? `(${waiting}) ` : ""}${t(page.title)} · wxbot`; }, [waiting, page]);
  const isGroup = page.name === "groups" && route.id !== "";
  const View = isGroup ? Group : page.View;
  const isAdmin = session.role === "admin";
  const isFullPage = page.name === "tickets"; // it has the size of the window
  return html`<div class=${`shell ${isFullPage ? "full-page" : ""}`}>
    <${Navigation} session=${session} current=${page} waiting=${waiting} isOpen=${isMenuOpen} setIsOpen=${setIsMenuOpen} />
    <${Notices} away=${data?.status.away ?? []} isLive=${isLive} />
    <main class="content" data-live=${isLive} tabindex="-1">
      <${View} key=${isGroup ? `groups/${route.id}` : page.name} id=${route.id} session=${session} admin=${isAdmin} />
    </main>
  </div>`;
}

function Navigation({ session, current, waiting, isOpen, setIsOpen }) {
  const pages = PAGES.filter(({ name }) => session.role === "admin" || name !== "settings");
  const isCurrentInMenu = PAGES.indexOf(current) >= PHONE_PAGES;
  const count = () => html`<span class="count" aria-label=${t("{n} 个等待接待", { n: waiting })}>
    ${waiting > 99 ? "99+" : waiting}</span>`;
  const link = ({ name, title }, index) => html`<a class=${`nav-link ${index < PHONE_PAGES ? "" : "menu-only"}`} key=${name}
    href=${`#/${name}`} aria-current=${name === current.name ? "page" : undefined}>
    <${Icon} name=${name} /><span>${t(title)}</span>${name === "tickets" && waiting > 0 && count()}</a>`;
  return html`<nav class=${`sidebar ${isOpen ? "open" : ""}`} aria-label=${t("页面")}>
    <div class="brand"><img src="/console/page/icon.svg" alt="" />${t("微信智能服务助手")}</div>
    ${pages.map(link)}
    <button type="button" class="nav-link menu-button" aria-expanded=${isOpen}
      aria-current=${!isOpen && isCurrentInMenu ? "page" : undefined} onClick=${() => setIsOpen(!isOpen)}>
      <${Icon} name="more" /><span>${t("更多")}</span></button>
    <${UserMenu} session=${session} />
  </nav>`;
}

/** Shown on every page: accounts that have been offline for long, a lost connection, and changes that are not saved. */
function Notices({ away, isLive }) {
  const unsaved = useUnsavedCount();
  const offline = away.filter((account) => account.long)
    .map(({ account, since }) => t("{account} 已离线（{t}）", { account, t: formatAge(since) }));
  return html`<div class="notices">
    ${offline.length > 0 && html`<a class="notice bad" role="alert" href="#/overview">${offline.join(t("，"))}</a>`}
    ${!isLive && html`<div class="notice warn" role="alert">${t("连接断开了，正在重新连接…")}</div>`}
    ${unsaved > 0 && html`<div class="notice warn" role="status">${t("有修改还没有保存")}</div>`}
  </div>`;
}

function isDark() {
  const { theme } = document.documentElement.dataset;
  return theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

/** Save a setting in this browser; theme.js applies it when the page is loaded. */
function saveSetting(name, value) {
  localStorage.setItem(name, value);
  location.reload();
}

function UserMenu({ session }) {
  const isEnglish = language === "en";
  const setLanguage = () => saveSetting("wxbot-language", isEnglish ? "zh" : "en");
  const setTheme = () => saveSetting("wxbot-theme", isDark() ? "light" : "dark");
  const logOut = () => attempt(async () => {
    await call("POST", "/logout", {});
    location.reload();
  });
  return html`<div class="user-menu small">
    <div><b>${session.name || t("管理员")}</b><br />
      <span class="muted">${session.role === "admin" ? t("管理员") : t("客服")}</span></div>
    <div class="row">
      <button type="button" class="bare" lang=${isEnglish ? "zh-CN" : "en"} onClick=${setLanguage}>${isEnglish ? "中文" : "English"}</button>
      <button type="button" class="bare" onClick=${setTheme}>${isDark() ? t("浅色") : t("深色")}</button>
      <${Button} kind="bare" onClick=${logOut}>${t("退出")}<//>
    </div>
  </div>`;
}
