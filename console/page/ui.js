// Components and hooks shared by all pages.
import { call } from "./api.js";
import { onChange } from "./live.js";
import { html, useCallback, useEffect, useLayoutEffect, useRef, useState } from "./shared/preact.js";
import { moment, t } from "./words.js";

// ---- loading ----

/** Data of a path: { data, error, loading, reload }. Reloaded when the path changes, or when `concerns` accepts a change. */
export function useLoad(path, concerns) {
  const [state, setState] = useState({ path: "", data: null, error: null });
  const turn = useRef(0);
  const reload = useCallback(async () => {
    if (!path) return;
    const mine = ++turn.current;
    try {
      const data = await call("GET", path);
      if (mine === turn.current) setState({ path, data, error: null });
    } catch (error) {
      if (mine === turn.current) setState((before) => ({ path, data: before.path === path ? before.data : null, error }));
    }
  }, [path]);
  useEffect(() => { reload(); }, [reload]);
  useEffect(() => onChange((change) => { if (change.kind === "reset" || concerns?.(change)) reload(); }), [reload]);
  const current = state.path === path;
  return { data: current ? state.data : null, error: current ? state.error : null, loading: !current, reload };
}

/** A paginated list: { rows, error, loading, more, reload }. */
export function useList(path, name, concerns) {
  const first = useLoad(path, concerns);
  const [rest, setRest] = useState({ path: "", rows: [], next: null });
  const extended = rest.path === path;
  const next = extended ? rest.next : first.data?.next;
  const more = next ? async () => {
    const answer = await call("GET", `${path}${path.includes("?") ? "&" : "?"}after=${next}`);
    setRest({ path, rows: [...(extended ? rest.rows : []), ...answer[name]], next: answer.next });
  } : null;
  const known = new Set(first.data?.[name].map((row) => row.id ?? row.number));
  const rows = first.data ? [...first.data[name], ...(extended ? rest.rows.filter((row) => !known.has(row.id ?? row.number)) : [])] : [];
  return { ...first, rows, more };
}

// ---- messages ----

let show = () => {};
export function Toast() {
  const [said, setSaid] = useState(null);
  show = (text, bad) => setSaid({ text, bad });
  useEffect(() => {
    if (!said) return undefined;
    const timer = setTimeout(() => setSaid(null), said.bad ? 6000 : 2500);
    return () => clearTimeout(timer);
  }, [said]);
  return html`<div role="status" aria-live="polite">${said && html`<div class="toast ${said.bad ? "bad" : ""}">${said.text}</div>`}</div>`;
}
export const toast = (text, bad = false) => show(text, bad);

/** Run an action and show its result or error. Returns whether it succeeded. */
export async function tryTo(action, done) {
  try {
    await action();
    if (done) toast(done);
    return true;
  } catch (error) {
    toast(error.message, true);
    return false;
  }
}

// ---- components ----

/** A button that is disabled while its action runs. */
export function Button({ onClick, kind = "", children, ...more }) {
  const [busy, setBusy] = useState(false);
  const press = async () => {
    setBusy(true);
    await onClick();
    setBusy(false);
  };
  return html`<button type="button" class=${kind.includes("bare") ? kind : `plain ${kind}`} disabled=${busy || more.disabled} aria-busy=${busy} onClick=${press} ...${more}>${children}</button>`;
}

export function Tabs({ label, value, options, onChange }) {
  return html`<div class="tabs" role="group" aria-label=${label}>${options.map(([id, words]) =>
    html`<button type="button" key=${id} aria-pressed=${id === value} onClick=${() => onChange(id)}>${words}</button>`)}</div>`;
}

/** A field with its label; `changed`: what it holds is not saved yet. */
export function Field({ label, changed, children }) {
  return html`<label class="field"><span>${label}${changed && html` <b class="unsaved">${t("未保存")}</b>`}</span>${children}</label>`;
}

const STATES = {
  online: ["good", "在线"], syncing: ["warn", "同步中"], connecting: ["warn", "连接中"], refused: ["bad", "令牌被拒绝"], logged_out: ["bad", "未登录"], unserved: ["warn", "没有进程持有"],
  waiting: ["warn", "等待中"], open: ["good", "进行中"], closed: ["", "已结束"], queued: ["warn", "排队中"], sending: ["warn", "发送中"],
  sent: ["good", "已发送"], cancelled: ["", "已取消"], scheduled: ["warn", "定时发送"], failed: ["bad", "失败"], unknown: ["warn", "结果未知"], active: ["good", "正常"], making: ["warn", "尚未建成"], lost: ["bad", "已不在群里"],
  new: ["warn", "待接待"], done: ["good", "完成"], tried: ["warn", "进行中"], asking: ["warn", "等待回答"], calling: ["warn", "调用中"], invited: ["warn", "已邀请"], unconfirmed: ["warn", "未确认"],
};
export function State({ of }) {
  const [kind, words] = STATES[of] ?? ["", of];
  return html`<span class="state ${kind}">${t(words)}</span>`;
}

export function Time({ at }) {
  return html`<time dateTime=${at} title=${at ? new Date(at).toLocaleString() : ""}>${moment(at)}</time>`;
}

/** Placeholder of a list that is empty, loading or failed to load. */
export function Listing({ list, empty, children }) {
  if (list.loading) return html`<div class="empty" aria-busy="true">${t("正在读取…")}</div>`;
  if (list.error && !list.rows?.length) return html`<div class="empty"><span>${list.error.message}</span><${Button} onClick=${list.reload}>${t("再试一次")}<//></div>`;
  if (!list.rows.length) return html`<div class="empty">${empty}</div>`;
  return html`${children}${list.more && html`<${Button} kind="more" onClick=${() => tryTo(list.more)}>${t("显示更多")}<//>`}`;
}

/** A table; on phones each row is a card, whose cells are named by the heads. */
export function Table({ caption, heads, children }) {
  const place = useRef(null);
  useLayoutEffect(() => {
    for (const row of place.current.querySelectorAll("tbody tr")) [...row.cells].forEach((cell, at) => { cell.dataset.label = heads[at] ?? ""; });
  });
  return html`<div class="table" ref=${place} tabindex="0" role="region" aria-label=${caption}><table><thead><tr>${heads.map((head, at) =>
    html`<th key=${at} scope="col">${head || html`<span class="unseen">${t("操作")}</span>`}</th>`)}</tr></thead><tbody>${children}</tbody></table></div>`;
}

/** A dialog over the page; closes by Escape, unless what is in it has `changed` and is to be kept. */
export function Dialog({ title, onClose, changed, children }) {
  const dialog = useRef(null);
  useLayoutEffect(() => { dialog.current.showModal(); }, []);
  const cancel = async (event) => {
    if (event.target !== dialog.current || !changed) return;
    event.preventDefault();
    if (await sure(t("放弃没有保存的内容？"), t("放弃"))) onClose();
  };
  return html`<dialog ref=${dialog} aria-label=${title} onClose=${onClose} onCancel=${cancel}><div class="stack"><h2>${title}</h2>${children}</div></dialog>`;
}

let ask = async () => false;
/** Ask for confirmation of an action that cannot be undone; true if confirmed. */
export const sure = (question, button) => ask(question, button);
export function Confirm() {
  const [asked, setAsked] = useState(null);
  ask = (question, button) => new Promise((resolve) => setAsked({ question, button, resolve }));
  if (!asked) return null;
  const end = (answer) => { setAsked(null); asked.resolve(answer); };
  return html`<${Dialog} title=${asked.question} onClose=${() => end(false)}><div class="end">
    <button type="button" class="plain" onClick=${() => end(false)}>${t("取消")}</button>
    <button type="button" class="plain danger" onClick=${() => end(true)}>${asked.button}</button></div><//>`;
}
