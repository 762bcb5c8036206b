// Shows the requests recorded by the stub systems, live from /page/events, and handles the buttons.

const TITLES = { yunmall: "云商城", hipos: "HiPOS 云" };
const MODES = { ok: "正常", refuse: "拒绝（422）", error: "故障（503）", garbage: "乱码", hang: "不应答" };
const RESULTS = { success: "成功", failed: "失败" };
const opened = new Set();
const $ = (id) => document.getElementById(id);

function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

async function post(path, body) {
  await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

function clock(at) {
  const then = new Date(at * 1000);
  const time = then.toLocaleTimeString("zh-CN", { hour12: false });
  return then.toDateString() === new Date().toDateString() ? time : `${then.getMonth() + 1}月${then.getDate()}日 ${time}`;
}

const json = (value) => (value === null ? "（空）" : JSON.stringify(value, null, 2));

function button(one, result, words) {
  const kind = result === "success" ? "good" : "bad";
  const press = () => post(`/page/callback/${one.n}`, { result });
  return el("button", { id: `${result}-${one.n}`, type: "button", class: kind, disabled: one.owed === "sending", onclick: press }, words);
}

function facts(one) {
  const parts = [`授权码 ${one.answer?.code ?? "—"}`, `${clock(one.at)} 请求`];
  if (one.owed === "sending") parts.push("正在回调…");
  if (one.owed === "undelivered") parts.push(`回调没有送达（${one.note}），可再试`);
  return parts.join(" · ");
}

function showOwed(all) {
  const owed = all.filter((one) => one.owed && one.owed !== "sent");
  const cards = owed.map((one) =>
    el("div", { class: "card" },
      el("h3", {}, one.body.store),
      el("p", { class: "facts" }, facts(one)),
      el("div", { class: "buttons" }, button(one, "success", "授权成功"), button(one, "failed", "授权失败")),
    ));
  $("owed").replaceChildren(...(cards.length ? cards : [
    el("p", { class: "none" }, "没有待回调的授权。店长在微信里对助手说“增加POS机”，答完门店后会出现在这里。"),
  ]));
}

let shownModes = "";
function showModes(modes) {
  if (shownModes === JSON.stringify(modes)) return; // keeps an open select unchanged
  shownModes = JSON.stringify(modes);
  $("modes").replaceChildren(...Object.entries(TITLES).map(([system, title]) => {
    const now = modes[system] ?? "ok";
    const choose = (event) => post(`/page/mode/${system}`, { mode: event.target.value });
    const options = Object.entries(MODES).map(([mode, words]) => el("option", { value: mode, selected: mode === now }, words));
    return el("label", { class: now === "ok" ? "card" : "card odd" }, title, el("select", { onchange: choose }, ...options));
  }));
}

function tag(one) {
  if (one.owed === "waiting") return ["wait", "待回调"];
  if (one.owed === "undelivered") return ["bad", "回调未送达"];
  if (one.owed === "sent") return [one.result === "success" ? "good" : "bad", `已回调${RESULTS[one.result]}`];
  if (!one.status) return ["", "未应答"];
  return [one.status < 400 ? "good" : "bad", String(one.status)];
}

function showAsked(all) {
  $("count").textContent = all.length ? all.length : "";
  const rows = all.map((one) => {
    const [kind, words] = tag(one);
    const again = one.repeats ? ` · 同一幂等键重复 ${one.repeats} 次` : "";
    const toggle = (event) => (event.target.open ? opened.add(one.n) : opened.delete(one.n));
    const resend = one.owed === "sent"
      ? [el("h3", {}, "回调"), el("button", { id: `again-${one.n}`, type: "button", onclick: () => post(`/page/callback/${one.n}`, { result: one.result }) }, "再回调一次（应无效果）")]
      : [];
    return el("li", {}, el("details", { open: opened.has(one.n), ontoggle: toggle },
      el("summary", { id: `asked-${one.n}` },
        el("span", { class: "what" }, el("span", { class: "method" }, one.method), one.path.replaceAll("/", "/\u200b")),
        el("span", { class: `tag ${kind}` }, words),
        el("span", { class: "when" }, `${TITLES[one.system]} · ${clock(one.at)}${again}`)),
      el("div", { class: "inside" },
        el("h3", {}, "请求"), el("pre", {}, json(one.body)),
        el("h3", {}, `应答 ${one.status || ""}`), el("pre", {}, json(one.answer)),
        el("h3", {}, "Idempotency-Key"), el("pre", {}, one.key || "（无）"), ...resend)));
  });
  $("asked").replaceChildren(...(rows.length ? rows : [el("p", { class: "none" }, "还没有请求。")]));
}

function line(words, kind) {
  $("line").textContent = words;
  $("line").className = `line ${kind}`;
}

const events = new EventSource("/page/events");
events.onopen = () => line("已连接", "on");
events.onerror = () => line("连接断开，正在重连", "off");
events.onmessage = (event) => {
  const book = JSON.parse(event.data);
  const focused = document.activeElement?.id;
  showOwed(book.asked);
  showModes(book.modes);
  showAsked(book.asked);
  if (focused) $(focused)?.focus(); // the focused element was rendered again
};
