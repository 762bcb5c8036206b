// Shows the requests recorded by the stub systems, live from /page/events, and handles the buttons.

const TITLES = { yunmall: "云商城", hipos: "HiPOS 云" };
const MODES = { ok: "正常", refuse: "拒绝（422）", error: "故障（503）", garbage: "乱码", hang: "不应答" };
const RESULTS = { success: "成功", failed: "失败" };
const $ = (id) => document.getElementById(id);

function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

async function post(path, body) {
  const headers = { "Content-Type": "application/json" };
  const response = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) }).catch(() => null);
  if (!response?.ok) showConnection("操作没有成功，请再试一次", "off");
}

function clock(at) {
  const then = new Date(at * 1000);
  const time = then.toLocaleTimeString("zh-CN", { hour12: false });
  return then.toDateString() === new Date().toDateString() ? time : `${then.getMonth() + 1}月${then.getDate()}日 ${time}`;
}

const json = (value) => (value === null ? "（空）" : JSON.stringify(value, null, 2));

function button(request, result, label) {
  const kind = result === "success" ? "good" : "bad";
  const press = () => post(`/page/callback/${request.n}`, { result });
  return el("button", { id: `${result}-${request.n}`, type: "button", class: kind, disabled: request.owed === "sending", onclick: press }, label);
}

function facts(request) {
  const parts = [`授权码 ${request.answer?.code ?? "—"}`, `${clock(request.at)} 请求`];
  if (request.owed === "sending") parts.push("正在回调…");
  if (request.owed === "undelivered") parts.push(`回调没有送达（${request.note}），可再试`);
  return parts.join(" · ");
}

function showOwed(requests) {
  const owed = requests.filter((request) => request.owed && request.owed !== "sent");
  const cards = owed.map((request) =>
    el("div", { class: "card" },
      el("h3", {}, request.body.store),
      el("p", { class: "facts" }, facts(request)),
      el("div", { class: "buttons" }, button(request, "success", "授权成功"), button(request, "failed", "授权失败")),
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
    const options = Object.entries(MODES).map(([mode, label]) => el("option", { value: mode, selected: mode === now }, label));
    return el("label", { class: now === "ok" ? "card" : "card odd" }, title, el("select", { onchange: choose }, ...options));
  }));
}

function tag(request) {
  if (request.owed === "waiting") return ["wait", "待回调"];
  if (request.owed === "undelivered") return ["bad", "回调未送达"];
  if (request.owed === "sent") return [request.result === "success" ? "good" : "bad", `已回调${RESULTS[request.result]}`];
  if (!request.status) return ["", "未应答"];
  return [request.status < 400 ? "good" : "bad", String(request.status)];
}

function showRequests(requests) {
  $("count").textContent = requests.length ? requests.length : "";
  const opened = new Set([...$("asked").querySelectorAll("details[open] > summary")].map((summary) => summary.id));
  const rows = requests.map((request) => {
    const [kind, label] = tag(request);
    const again = request.repeats ? ` · 同一幂等键重复 ${request.repeats} 次` : "";
    const resend = request.owed === "sent"
      ? [el("h3", {}, "回调"), el("button", { id: `again-${request.n}`, type: "button", onclick: () => post(`/page/callback/${request.n}`, { result: request.result }) }, "再回调一次（应无效果）")]
      : [];
    return el("li", {}, el("details", { open: opened.has(`asked-${request.n}`) },
      el("summary", { id: `asked-${request.n}` },
        el("span", { class: "what" }, el("span", { class: "method" }, request.method), request.path.replaceAll("/", "/\u200b")),
        el("span", { class: `tag ${kind}` }, label),
        el("span", { class: "when" }, `${TITLES[request.system]} · ${clock(request.at)}${again}`)),
      el("div", { class: "inside" },
        el("h3", {}, "请求"), el("pre", {}, json(request.body)),
        el("h3", {}, `应答 ${request.status || ""}`), el("pre", {}, json(request.answer)),
        el("h3", {}, "Idempotency-Key"), el("pre", {}, request.key || "（无）"), ...resend)));
  });
  $("asked").replaceChildren(...(rows.length ? rows : [el("p", { class: "none" }, "还没有请求。")]));
}

function showConnection(text, kind) {
  $("line").textContent = text;
  $("line").className = `line ${kind}`;
}

const events = new EventSource("/page/events");
events.onopen = () => showConnection("已连接", "on");
events.onerror = () => showConnection("连接断开，正在重连", "off");
events.onmessage = (event) => {
  const book = JSON.parse(event.data);
  const focused = document.activeElement?.id;
  showOwed(book.asked);
  showModes(book.modes);
  showRequests(book.asked);
  showConnection("已连接", "on");
  if (focused) $(focused)?.focus(); // the focused element was rendered again
};
