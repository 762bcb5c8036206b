// 知识: try a sentence; what nobody could answer; questions, keywords and canned replies.
import { call, query } from "../api.js";
import { ChooseAssistant } from "../choose.js";
import { Button, Listing, Table, Tabs, sure, tryTo, useLoad } from "../ui.js";
import { html, useRef, useState } from "../shared/preact.js";
import { t } from "../words.js";
import { Edit, KINDS } from "./knowledge-edit.js";

const BY = {
  person: "转人工", keyword: "关键词", question: "问答", menu: "列出相近的问题供客户选择", model: "由语言模型从问答里选",
  passage: "引用资料", fallback: "没听懂时的回答", nobody: "不回答",
};
const SHOWN_AT_ONCE = 200;
const BRIEF = 100; // characters

export function Knowledge({ admin, session }) {
  const [view, setView] = useState("misses");
  const [editing, setEditing] = useState(null);
  const [assistant, setAssistant] = useState(session.assistants[0] ?? "");
  const list = useLoad(`/knowledge${query({ assistant })}`);
  const canned = useLoad("/canned");
  const all = list.data && canned.data ? { ...list.data, canned: canned.data.canned } : null;
  const reload = async () => { await Promise.all([list.reload(), canned.reload()]); };
  const lengths = all && {
    misses: all.misses.length, questions: all.questions.length + all.configured_questions.length,
    keywords: all.keywords.length + all.configured_keywords.length, canned: all.canned.length, passages: all.passages.length,
  };
  const names = [["misses", t("待补充")], ["questions", t("问答")], ["keywords", t("关键词")], ["canned", t("快捷回复")], ["passages", t("资料")]];
  const adds = [["canned", t("添加快捷回复")], ["keyword", t("添加关键词")], ["question", t("添加问答")]];
  const state = { ...list, error: list.error ?? canned.error, loading: list.loading || canned.loading, rows: all ? [1] : [] };
  return html`<div class="heading"><h1>${t("知识")}</h1><div class="tools"><${ChooseAssistant} names=${session.assistants} value=${assistant} onChange=${setAssistant} />
      ${admin && adds.map(([kind, words], at) => html`<button type="button" key=${kind} class=${`plain ${at === 2 ? "main" : ""}`} onClick=${() => setEditing({ kind })}>${words}</button>`)}</div></div>
    <div class="stack"><${Try} assistant=${assistant} />
      <${Tabs} label=${t("视图")} value=${view} onChange=${setView} options=${names.map(([id, words]) => [id, lengths ? `${words} ${lengths[id]}` : words])} />
      <${Listing} list=${state} empty="">${all && html`<${VIEWS[view]} key=${view} all=${all} admin=${admin} edit=${setEditing} reload=${reload} assistant=${assistant} />`}<//></div>
    ${editing && html`<${Edit} one=${editing} assistant=${assistant} onClose=${() => setEditing(null)} reload=${reload} />`}`;
}

function Try({ assistant }) {
  const [text, setText] = useState("");
  const [group, setGroup] = useState(false);
  const [said, setSaid] = useState(null);
  const ask = async (event) => {
    event.preventDefault();
    await tryTo(async () => setSaid((await call("POST", `/knowledge/try${query({ assistant })}`, { text, group })).explanation));
  };
  return html`<section class="card stack"><h2>${t("试一试")}</h2><form class="row wrap" onSubmit=${ask}>
      <input class="grow" type="text" maxlength="500" aria-label=${t("客户可能发送的消息")} placeholder=${t("客户可能发送的消息")} value=${text} onInput=${(event) => setText(event.target.value)} />
      <label class="row"><input type="checkbox" checked=${group} onChange=${(event) => setGroup(event.target.checked)} />${t("在群里")}</label><button class="plain main" disabled=${!text.trim()}>${t("测试")}</button></form>
    ${said && html`<div class="stack" role="status"><p><b>${t(BY[said.by])}</b>${said.rule && html`　<span class="mono">${said.rule}</span>`}</p>
      ${said.reply && html`<div class="answer">${said.reply}</div>`}
      ${said.near.map(([question, score]) => html`<div key=${question}>${question} <span class="quiet number">${Math.round(score * 100)}%</span></div>`)}</div>`}</section>`;
}

/** Rows that fit a word, the first of them; more on demand. */
function Searched({ rows, text, empty, children }) {
  const [q, setQ] = useState("");
  const [most, setMost] = useState(SHOWN_AT_ONCE);
  const found = rows.filter((row) => text(row).toLowerCase().includes(q.trim().toLowerCase()));
  const list = { rows: found.slice(0, most), more: found.length > most ? async () => setMost(most + SHOWN_AT_ONCE) : null };
  return html`${rows.length > 8 && html`<input class="find" type="search" aria-label=${t("查找")} placeholder=${t("查找")} value=${q} onInput=${(event) => setQ(event.target.value)} />`}
    <${Listing} list=${list} empty=${rows.length ? t("没有找到。") : empty}>${children(list.rows)}<//>`;
}

const edits = (edit, one) => html`<button type="button" class="bare" onClick=${() => edit(one)}>${t("修改")}</button>`;
const removes = (remove) => html`<${Button} kind="bare danger" onClick=${remove}>${t("删除")}<//>`;

function Misses({ all, admin, edit }) {
  return html`<${Searched} rows=${all.misses} text=${(one) => one.question} empty=${t("近 30 天没有未能回答的问题。")}>${(rows) => html`
    <${Table} caption=${t("待补充")} heads=${[t("客户问过"), t("次数"), ""]}>${rows.map((one) => html`<tr key=${one.question}><td class="text">${one.question}</td><td class="number">${one.count}</td>
      <td class="act">${admin && html`<button type="button" class="bare" onClick=${() => edit({ kind: "question", questions: [one.question] })}>${t("回答")}</button>`}</td></tr>`)}<//>`}<//>`;
}

function Questions({ all, admin, edit, reload, assistant }) {
  const remove = async (one) => (await sure(t("删除这条问答？"), t("删除"))) && tryTo(async () => { await call("DELETE", `/question/${one.id}`); await reload(); }, t("已删除"));
  const rows = [...all.questions, ...all.configured_questions];
  return html`<${Files} what="questions" admin=${admin} reload=${reload} assistant=${assistant} />
    <${Searched} rows=${rows} text=${(one) => `${one.questions.join("\n")}\n${one.answer}`} empty=${t("还没有问答。")}>${(found) => html`<${Table} caption=${t("问答")} heads=${[t("问题"), t("回答"), ""]}>
      ${found.map((one, at) => html`<tr key=${one.id ?? `c${at}`}><td class="text">${one.questions.join("\n")}</td><td class="text">${one.answer}</td>
        <td class="act">${!one.id ? html`<span class="quiet small">${all.faq_file}</span>` : admin && html`${edits(edit, { kind: "question", ...one })}${removes(() => remove(one))}`}</td></tr>`)}<//>`}<//>`;
}

const words = (reply) => (typeof reply === "string" ? reply : reply.map((part) => (typeof part === "string" ? part : part.text || part.image || part.file || part.link?.title)).join("\n"));
const ruleOf = (one) => (one.kind ? [one.kind, one.word] : ["equals", "contains", "regex"].filter((name) => one[name]).map((name) => [name, one[name]])[0]);

function Keywords({ all, admin, edit, reload, assistant }) {
  const remove = async (one) => (await sure(t("删除这个关键词？"), t("删除"))) && tryTo(async () => { await call("DELETE", `/keyword/${one.id}`); await reload(); }, t("已删除"));
  const acts = (one) => html`${typeof one.reply === "string" && edits(edit, { ...one, rule: one.kind, kind: "keyword" })}${removes(() => remove(one))}`;
  const rows = [...all.keywords, ...all.configured_keywords];
  return html`<${Files} what="keywords" admin=${admin} reload=${reload} assistant=${assistant} />
    <${Searched} rows=${rows} text=${(one) => `${ruleOf(one)[1]}\n${words(one.reply)}`} empty=${t("还没有关键词。")}>${(found) => html`<${Table} caption=${t("关键词")} heads=${[t("规则"), t("词"), t("回复"), ""]}>
      ${found.map((one, at) => html`<tr key=${one.id ?? `c${at}`}><td>${t(KINDS[ruleOf(one)[0]])}</td><td class="text">${ruleOf(one)[1]}</td><td class="text">${words(one.reply)}</td>
        <td class="act">${!one.id ? html`<span class="quiet small">${t("配置文件")}</span>` : admin && acts(one)}</td></tr>`)}<//>`}<//>`;
}

function Canned({ all, admin, edit, reload }) {
  const remove = async (one) => (await sure(t("删除这条快捷回复？"), t("删除"))) && tryTo(async () => { await call("POST", "/canned/remove", { name: one.name }); await reload(); }, t("已删除"));
  return html`<p class="quiet">${t("客服在工单里选用，或在客服群里写 #工单号 /名称。")}</p>
    <${Searched} rows=${all.canned} text=${(one) => `${one.name}\n${one.text}`} empty=${t("还没有快捷回复。")}>${(found) => html`<${Table} caption=${t("快捷回复")} heads=${[t("名称"), t("内容"), ""]}>
      ${found.map((one) => html`<tr key=${one.name}><td>${one.name}</td><td class="text">${one.text}</td>
        <td class="act">${!one.added && html`<span class="quiet small">${t("配置文件")}</span>`}${admin && edits(edit, { kind: "canned", ...one })}${admin && one.added && removes(() => remove(one))}</td></tr>`)}<//>`}<//>`;
}

/** A long text shows its beginning until it is opened. */
function Long({ text }) {
  if (text.length <= BRIEF) return text;
  return html`<details><summary>${text.slice(0, BRIEF)}…</summary>${text}</details>`;
}

function Passages({ all }) {
  return html`<p class="quiet">${t("来自配置的资料文件夹，改文件后在设置里重新加载。")}</p>
    <${Searched} rows=${all.passages} text=${(one) => `${one.title}\n${one.text}\n${one.source}`} empty=${t("还没有资料：在配置里用 customer_service.knowledge 指定一个文件夹。")}>${(found) => html`<${Table} caption=${t("资料")} heads=${[t("标题"), t("内容"), t("文件")]}>
      ${found.map((one) => html`<tr key=${one.title}><td class="text">${one.title}</td><td class="text"><${Long} text=${one.text} /></td><td class="mono quiet">${one.source}</td></tr>`)}<//>`}<//>`;
}

const VIEWS = { misses: Misses, questions: Questions, keywords: Keywords, canned: Canned, passages: Passages };

function Files({ what, admin, reload, assistant }) {
  const file = useRef(null);
  const path = `/knowledge/${what}.yaml${query({ assistant })}`;
  const take = async (event) => {
    const [chosen] = event.target.files;
    event.target.value = "";
    if (chosen) await tryTo(async () => { await call("POST", path, { yaml: await chosen.text() }); await reload(); }, t("已导入"));
  };
  return html`<div class="row"><a class="button" href=${`/console/api${path}`} download>${t("导出 YAML")}</a>
    ${admin && html`<button type="button" class="plain" onClick=${() => file.current.click()}>${t("导入 YAML")}</button><input type="file" hidden accept=".yaml,.yml" aria-label=${t("导入 YAML")} ref=${file} onChange=${take} />`}</div>`;
}
