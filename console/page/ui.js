// Components and hooks that all pages use.
import { attempt } from "./dialogs.js";
import { passFocusOn } from "./focus.js";
import { html, useLayoutEffect, useRef, useState } from "./shared/preact.js";
import { formatTime, t } from "./words.js";

// ---- buttons and fields ----

/** Hook: [run, isRunning] of an action that does not start again while it runs. */
export function useAction(action) {
  const [isRunning, setIsRunning] = useState(false);
  const guard = useRef(false); // the state changes only with the next rendering
  const run = async (...values) => {
    if (guard.current) return undefined;
    guard.current = true;
    setIsRunning(true);
    try {
      return await action(...values);
    } finally {
      guard.current = false;
      setIsRunning(false);
    }
  };
  return [run, isRunning];
}

/** Hook: the submit handler of a form, which does nothing while an earlier one runs, and whether one runs. */
export function useSubmit(action) {
  const [run, isRunning] = useAction(action);
  const submit = (event) => {
    event.preventDefault();
    run();
  };
  return [submit, isRunning];
}

/** A button that does nothing while its action runs. It is not disabled meanwhile, since it would lose the focus. */
export function Button({ onClick, kind = "", children, ...attributes }) {
  const [run, isRunning] = useAction(onClick);
  const button = useRef(null);
  useLayoutEffect(() => {
    const element = button.current;
    return () => passFocusOn(element);
  }, []);
  return html`<button ...${attributes} type="button" ref=${button} class=${kind.includes("bare") ? kind : `plain ${kind}`}
    aria-busy=${isRunning} aria-disabled=${isRunning} onClick=${run}>${children}</button>`;
}

/** Buttons of which one is pressed; `options`: pairs of a value and its text. */
export function Tabs({ label, value, options, onChange }) {
  return html`<div class="tabs" role="group" aria-label=${label}>${options.map(([id, text]) => html`<button type="button" key=${id}
    aria-pressed=${id === value} onClick=${() => onChange(id)}>${text}</button>`)}</div>`;
}

/** A field with its label. `changed`: its value is not saved yet. */
export function Field({ label, changed, children }) {
  return html`<label class="field"><span>${label}${changed && html` <b class="unsaved">${t("未保存")}</b>`}</span>${children}</label>`;
}

/** A field that searches as one types. */
export function SearchField({ label, hint = label, value, onChange, kind = "" }) {
  return html`<input class=${kind} type="search" aria-label=${label} placeholder=${hint} value=${value}
    onInput=${(event) => onChange(event.target.value)} />`;
}

/** A drop-down list; `options`: pairs of a value and its text. */
export function Select({ label, value, options, onChange, kind = "" }) {
  return html`<select class=${kind} aria-label=${label} value=${value} onChange=${(event) => onChange(event.target.value)}>
    ${options.map(([id, text]) => html`<option key=${id} value=${id}>${text}</option>`)}</select>`;
}

/** A drop-down list that acts on what is chosen and then shows its label again. */
export function ActionSelect({ label, hint, options, onChoose }) {
  const choose = (event) => {
    const { value } = event.target;
    event.target.value = ""; // also if the action fails, so that the same can be chosen again
    if (value) onChoose(value);
  };
  return html`<select class="short" aria-label=${label} value="" onChange=${choose}><option value="">${hint}</option>
    ${options.map(([id, text]) => html`<option key=${id} value=${id}>${text}</option>`)}</select>`;
}

// ---- values ----

const STATES = {
  online: ["good", "在线"],
  syncing: ["warn", "同步中"],
  connecting: ["warn", "连接中"],
  refused: ["bad", "令牌被拒绝"],
  logged_out: ["bad", "未登录"],
  unserved: ["warn", "没有进程持有"],
  new: ["warn", "待接待"],
  waiting: ["warn", "等待中"],
  open: ["good", "进行中"],
  closed: ["", "已结束"],
  queued: ["warn", "排队中"],
  sending: ["warn", "发送中"],
  sent: ["good", "已发送"],
  cancelled: ["", "已取消"],
  scheduled: ["warn", "定时发送"],
  failed: ["bad", "失败"],
  unknown: ["warn", "结果未知"],
  active: ["good", "正常"],
  making: ["warn", "尚未建成"],
  lost: ["bad", "已不在群里"],
  done: ["good", "完成"],
  tried: ["warn", "进行中"],
  asking: ["warn", "等待回答"],
  calling: ["warn", "调用中"],
  invited: ["warn", "已邀请"],
  unconfirmed: ["warn", "未确认"],
};

export function State({ of }) {
  const [kind, text] = STATES[of] ?? ["", of];
  return html`<span class="state ${kind}">${t(text)}</span>`;
}

export function Time({ at }) {
  return html`<time dateTime=${at} title=${at ? new Date(at).toLocaleString() : ""}>${formatTime(at)}</time>`;
}

// ---- loaded data ----

const Loading = () => html`<div class="empty" aria-busy="true">${t("正在读取…")}</div>`;

function LoadError({ error, reload }) {
  return html`<div class="empty"><span>${error.message}</span><${Button} onClick=${reload}>${t("再试一次")}<//></div>`;
}

/** A list, or why it is not there: it is loading, failed to load, or is empty. */
export function Listing({ list, empty, children }) {
  if (list.loading) return html`<${Loading} />`;
  if (list.error && !list.rows.length) return html`<${LoadError} ...${list} />`;
  if (!list.rows.length) return html`<div class="empty">${empty}</div>`;
  return html`${children}${list.more && html`<${Button} kind="more" onClick=${() => attempt(list.more)}>${t("显示更多")}<//>`}`;
}

/** What the function `children` makes of loaded data, or why it is not there. */
export function Loaded({ resource, children }) {
  if (resource.data) return children(resource.data);
  return resource.error ? html`<${LoadError} ...${resource} />` : html`<${Loading} />`;
}

/** A table; on phones each row is a card, whose cells are labelled by the headings. */
export function Table({ caption, headings, children }) {
  const region = useRef(null);
  useLayoutEffect(() => {
    for (const row of region.current.querySelectorAll("tbody tr")) {
      [...row.cells].forEach((cell, index) => { cell.dataset.label = headings[index] ?? ""; });
    }
  });
  const heading = (text, index) => html`<th key=${index} scope="col">
    ${text || html`<span class="visually-hidden">${t("操作")}</span>`}</th>`;
  return html`<div class="table" ref=${region} tabindex="0" role="region" aria-label=${caption}>
    <table><thead><tr>${headings.map(heading)}</tr></thead><tbody>${children}</tbody></table></div>`;
}
