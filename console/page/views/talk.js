// One ticket: what was said, live; answers, notes, who has it, who else looks at it.
import { base64, call, newKey } from "../api.js";
import { Button, Field, State, Time, sure, toast, tryTo, useLoad } from "../ui.js";
import { useUnsaved } from "../unsaved.js";
import { useTyped } from "../shared/typed.js";
import { html, useEffect, useLayoutEffect, useRef, useState } from "../shared/preact.js";
import { t } from "../words.js";

const drafts = new Map();
const KINDS = {
  image: t("图片"), file: t("文件"), audio: t("语音"), video: t("视频"), emoticon: t("表情"), card: t("名片"), contact: t("名片"), link: t("链接"),
  mini_program: t("小程序"), location: t("位置"), chat_history: t("聊天记录"), transfer: t("转账"), red_envelope: t("红包"), recalled: t("撤回了一条消息"), pat: t("拍一拍"),
};

export function Talk({ id, session, card }) {
  const [limit, setLimit] = useState(50);
  const list = useLoad(`/ticket/${id}?limit=${limit}`, (change) => (change.kind === "ticket" || change.kind === "presence") && String(change.id) === id);
  const [all, setAll] = useState(null);
  useEffect(() => { if (list.data) setAll(list.data); }, [list.data]);
  const others = all?.present.length > 0;
  useEffect(() => { // whoever closes the lid of their computer says no good-bye
    if (!others) return undefined;
    const timer = setInterval(list.reload, 15000);
    return () => clearInterval(timer);
  }, [others, list.reload]);
  if (!all) return html`<section class="talk"><div class="empty">${list.error ? list.error.message : t("正在读取…")}</div></section><aside class="customer"></aside>`;
  return html`<section class="talk" aria-label=${t("对话")}>
      <${Head} all=${all} session=${session} card=${card} reload=${list.reload} />
      <${Said} all=${all} more=${all.next && limit < 200 ? () => setLimit(200) : null} session=${session} reload=${list.reload} />
      ${all.present.length > 0 && html`<div class="presence" role="status">${all.present.map((one) => t(one.doing === "writing" ? "{name} 正在输入…" : "{name} 也在看这个工单", { name: one.name || t("管理员") })).join("　")}</div>`}
      <${Write} id=${id} all=${all} session=${session} reload=${list.reload} />
    </section>
    <${Customer} all=${all} id=${id} reload=${list.reload} />`;
}

/** A ticket that nobody has taken waits for somebody. */
export const stateOf = (ticket) => (ticket.state === "open" && !ticket.staff_id ? "new" : ticket.state);

function Head({ all, session, card, reload }) {
  const { ticket, staff } = all;
  const act = (what, body, done) => tryTo(async () => { await call("POST", `/ticket/${ticket.id}/${what}`, body); await reload(); }, done);
  const others = staff.filter((one) => one.id !== ticket.staff_id);
  const closed = ticket.state === "closed";
  return html`<div class="talk-head"><a class="button back" href="#/tickets" aria-label=${t("返回列表")}>‹</a>
    <h2>${ticket.name || t("客户")} <span class="quiet number">#${ticket.id}</span></h2><${State} of=${stateOf(ticket)} />
    <span class="quiet small">${ticket.staff ? t("由 {staff} 接待", ticket) : t("无人接待")}${ticket.mark ? `　${t("评分 {mark}", ticket)}` : ""}</span>
    <div class="tools">
      <button type="button" class="plain slim card-switch" onClick=${card}>${t("客户")}</button>
      ${!closed && ticket.staff_id !== session.id && html`<${Button} kind="slim" onClick=${() => act("assign", {}, t("已由您接待"))}>${t("我来接待")}<//>`}
      ${!closed && others.length > 0 && html`<select class="short" aria-label=${t("转给")} value="" onChange=${(event) => event.target.value && act("assign", { staff: event.target.value }, t("已转交"))}>
        <option value="">${t("转给…")}</option>${others.map((one) => html`<option key=${one.id} value=${one.id}>${one.name}</option>`)}</select>`}
      ${closed ? html`<${Button} kind="slim" onClick=${() => act("reopen", {}, t("已重新打开"))}>${t("重新打开")}<//>`
        : html`<${Button} kind="slim danger" onClick=${async () => (await sure(t("结束这个工单？客户会被请求评分。"), t("结束"))) && act("close", {}, t("已结束"))}>${t("结束")}<//>`}
    </div></div>`;
}

function Said({ all, more, session, reload }) {
  const place = useRef(null);
  const last = all.messages.at(-1)?.id;
  useLayoutEffect(() => { place.current.scrollTop = place.current.scrollHeight; }, [last]);
  return html`<div class="said" ref=${place} role="log" aria-label=${t("对话内容")} tabindex="0">
    ${more && html`<button type="button" class="bare" onClick=${more}>${t("显示更早的消息")}</button>`}
    ${all.messages.length === 0 && html`<div class="empty">${t("还没有消息。")}</div>`}
    ${all.messages.map((one) => html`<${Bubble} key=${one.id} one=${one} ticket=${all.ticket} session=${session} reload=${reload} />`)}</div>`;
}

function Bubble({ one, ticket, session, reload }) {
  const ours = one.by !== "customer";
  const who = one.internal ? t("备注 · {name}", { name: one.staff || t("管理员") }) : ours ? (one.by === "staff" ? one.staff || t("管理员") : t("助手")) : ticket.name || t("客户");
  const address = `/console/api/media/${one.id}`;
  const again = () => tryTo(async () => {
    const { sent_again } = await call("POST", `/message/${one.message_id}/resend`, {});
    toast(sent_again ? t("已重新排队发送") : t("它没有失败，无需重发"));
    await reload();
  });
  const failed = one.state === "failed" || one.state === "unknown";
  return html`<div class=${`bubble ${ours ? "ours" : ""} ${one.internal ? "note" : ""}`}>
    <div class="meta"><span>${who}</span><${Time} at=${one.at} /></div>
    <div class="body">${one.media && one.picture ? html`<a href=${address} target="_blank" rel="noopener"><img src=${address} alt=${one.text || t("图片")} loading="lazy" /></a>`
      : one.media ? html`<a href=${address} download>${one.text || t("文件")}</a>` : inWords(one)}</div>
    ${one.state && html`<div class="meta"><${State} of=${one.state} />${failed && html`<span class="failed">${one.error}</span>${session.role === "admin" && html`<${Button} kind="bare" onClick=${again}>${t("重发")}<//>`}`}</div>`}
  </div>`;
}

function inWords({ kind, text }) { // of a recalled message, the text is only its id
  return kind === "text" ? text : `[${KINDS[kind] ?? t("其他消息")}] ${kind === "recalled" ? "" : text}`;
}

function Write({ id, all, session, reload }) {
  const [text, setText] = useState(drafts.get(id) ?? "");
  const [noting, setNoting] = useState(false);
  const key = useRef(newKey());
  const canned = useLoad("/canned").data?.canned ?? [];
  const file = useRef(null);
  const lastSent = useRef({ doing: "", at: 0 });
  const announce = (doing) => {
    if (lastSent.current.doing === doing && Date.now() - lastSent.current.at < 8000) return;
    lastSent.current = { doing, at: Date.now() };
    call("POST", `/ticket/${id}/presence`, { doing }).catch(() => {});
  };
  useEffect(() => {
    announce("viewing");
    const timer = setInterval(() => { if (!document.hidden) announce("viewing"); }, 9000);
    return () => { clearInterval(timer); lastSent.current.doing = ""; announce("left"); };
  }, []);
  const put = (value) => { setText(value); drafts.set(id, value); if (value) announce("writing"); };
  const closed = all.ticket.state === "closed";
  const writesNote = noting || closed;
  const send = async () => {
    if (!text.trim()) return;
    const sent = await tryTo(() => (writesNote ? call("POST", `/ticket/${id}/note`, { text }) : call("POST", `/ticket/${id}/reply`, { key: key.current, text })));
    if (!sent) return; // the same key again: nothing is said twice
    key.current = newKey();
    const now = drafts.get(id) ?? text; // with what was typed meanwhile
    put(now.startsWith(text) ? now.slice(text.length) : now);
    announce("viewing");
    await reload();
  };
  const attach = async (event) => {
    const [chosen] = event.target.files;
    event.target.value = "";
    if (!chosen) return;
    await tryTo(async () => {
      const part = { name: chosen.name, base64: await base64(chosen) };
      await call("POST", `/ticket/${id}/reply`, { key: key.current, [chosen.type.startsWith("image/") ? "image" : "file"]: part });
      key.current = newKey();
      await reload();
    });
  };
  const press = (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); send(); } };
  return html`<div class=${`write ${writesNote ? "noting" : ""}`}>
    <textarea aria-label=${writesNote ? t("备注") : t("回复")} placeholder=${writesNote ? t("只有同事看得到") : t("回复客户，Ctrl+Enter 发送")} value=${text} onInput=${(event) => put(event.target.value)} onKeyDown=${press}></textarea>
    <div class="row wrap">
      <label class="row"><input type="checkbox" checked=${writesNote} disabled=${closed} onChange=${(event) => setNoting(event.target.checked)} />${t("写备注")}</label>
      ${!writesNote && html`<button type="button" class="plain slim" onClick=${() => file.current.click()}>${t("图片或文件")}</button><input type="file" hidden ref=${file} onChange=${attach} aria-label=${t("图片或文件")} />`}
      ${!writesNote && canned.length > 0 && html`<select class="short" aria-label=${t("快捷回复")} value="" onChange=${(event) => event.target.value && put(text + canned.find((one) => one.name === event.target.value).text)}>
        <option value="">${t("快捷回复…")}</option>${canned.map(({ name }) => html`<option key=${name} value=${name}>${name}</option>`)}</select>`}
      <span class="grow"></span>
      <${Button} kind="main" onClick=${send} disabled=${!text.trim()}>${writesNote ? t("保存备注") : t("发送")}<//>
    </div></div>`;
}

function Customer({ all, id, reload }) {
  const { customer, ticket } = all;
  const [alias, setAlias, store] = useTyped(customer.alias);
  const changed = alias !== customer.alias;
  useUnsaved(changed);
  const save = () => store((given) => tryTo(async () => { await call("POST", `/ticket/${id}/remark`, { alias: given }); await reload(); }, t("已保存")));
  return html`<aside class="customer" aria-label=${t("客户")}><h2>${t("客户")}</h2>
    <dl class="facts"><dt>${t("昵称")}</dt><dd>${customer.name || "—"}</dd><dt>${t("微信号")}</dt><dd>${customer.weixin || "—"}</dd><dt>${t("助手")}</dt><dd>${ticket.assistant}</dd><dt>${t("工单开始")}</dt><dd><${Time} at=${ticket.opened_at} /></dd></dl>
    <${Field} label=${t("备注名")} changed=${changed}><input type="text" maxlength="30" value=${alias} onInput=${(event) => setAlias(event.target.value)} /><//>
    <${Button} disabled=${!alias.trim() || !changed} onClick=${save}>${t("保存备注名")}<//>
    <div><h2>${t("所在的群")}</h2>${customer.groups.length ? customer.groups.map((one) => html`<div key=${one.number}><a href=${`#/groups/${one.number}`}>${one.topic}</a></div>`) : html`<p class="quiet">${t("不在任何群里")}</p>`}</div>
    <div><h2>${t("以前的工单")}</h2>${customer.earlier.length ? customer.earlier.map((one) => html`<div key=${one.id}><a href=${`#/tickets/${one.id}`}>#${one.id}</a> <span class="quiet"><${Time} at=${one.opened_at} />${one.mark ? ` · ${t("评分 {mark}", one)}` : ""}</span></div>`) : html`<p class="quiet">${t("没有以前的工单")}</p>`}</div>
  </aside>`;
}
