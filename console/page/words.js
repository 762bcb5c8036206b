// Texts of the page, written in Chinese in the code and translated to English here, and times as texts.
import { EN } from "./english.js";

export const language = document.documentElement.lang === "en" ? "en" : "zh";

/** Translate a text into the language of the page; {name} is replaced by the value of that name. */
export function t(chinese, values = {}) {
  const text = language === "en" ? EN[chinese] ?? chinese : chinese;
  return text.replace(/\{(\w+)\}/g, (placeholder, name) => values[name] ?? placeholder);
}

const ACTORS = {
  automatic: "自动",
  guard: "群管理",
  job: "定时任务",
  rest: "接口",
  signal: "系统信号",
  code: "绑定码",
  terminal: "终端",
};

/** The text for who did something, from how the audit log names them: person:ID, console:ID, rest:NAME, … */
export function formatActor(actor, name) {
  const [prefix, ...rest] = actor.split(":");
  const id = rest.join(":");
  if (prefix === "console") return t("{name}（后台）", { name: id === "terminal" ? t("管理员") : name || id });
  if (prefix === "person") return name || id;
  return ACTORS[prefix] ? [t(ACTORS[prefix]), id].filter(Boolean).join(" ") : name || actor;
}

const LOCALE = language === "en" ? "en-GB" : "zh-CN";
const CLOCK = { hour: "2-digit", minute: "2-digit", hour12: false };
const TIME = new Intl.DateTimeFormat(LOCALE, CLOCK);
const DATE_AND_TIME = new Intl.DateTimeFormat(LOCALE, { month: "2-digit", day: "2-digit", ...CLOCK });

/** Format a time; today's times without the date. */
export function formatTime(iso) {
  if (!iso) return "—";
  const date = new Date(iso);
  const isToday = date.toDateString() === new Date().toDateString();
  return (isToday ? TIME : DATE_AND_TIME).format(date);
}

/** The latest time of a field for a time; without a limit, browsers accept years of six digits. */
export const LAST_TIME = "9999-12-31T23:59";

/** Format the time elapsed since then. */
export function formatAge(iso) {
  if (!iso) return "—";
  const minutes = Math.max(0, Math.floor((Date.now() - new Date(iso)) / 60000));
  if (minutes < 1) return t("刚刚");
  if (minutes < 60) return t("{n} 分钟前", { n: minutes });
  if (minutes < 1440) return t("{n} 小时前", { n: Math.floor(minutes / 60) });
  return t("{n} 天前", { n: Math.floor(minutes / 1440) });
}
