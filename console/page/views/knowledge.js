// 知识: test a sentence; unanswered questions; questions; keywords.
import { call } from "../api.js";
import { Button, Dialog, Field, Listing, Table, Tabs, sure, tryTo, useLoad } from "../ui.js";
import { html, useRef, useState } from "../vendor/preact.js";
import { t } from "../words.js";

const BY = { person: "转人工", keyword: "关键词", question: "问答", menu: "给出相近的问题让客户选", passage: "引用资料", model: "由语言模型从问答里选", fallback: "没听懂时的回答", nobody: "不回答" };
const KINDS = { equals: "等于", contains: "包含", regex: "正则" };

export function Knowledge({ admin }) {
  const [view, setView] = useState("misses");
  const [editing, setEditing] = useState(null);
  const list = useLoad("/knowledge");
  const all = list.data;
  const names = [["misses", t("待补充"), all?.misses], ["questions", t("问答"), all?.questions], ["keywords", t("关键词"), all?.keywords]];
  return html`<div class="heading"><h1>${t("知识")}</h1><div class="tools">${admin && html`<button type="button" class="plain" onClick=${() => setEditing({ kind: "keyword" })}>${t("添加关键词")}</button><button type="button" class="plain main" onClick=${() => setEditing({ kind: "question" })}>${t("添加问答")}</button>`}</div></div>
    <div class="stack"><${Try} />
      <${Tabs} label=${t("看什么")} value=${view} onChange=${setView} options=${names.map(([id, words, rows]) => [id, `${words}${rows ? ` ${rows.length}` : ""}`])} />
      <${Listing} list=${{ ...list, rows: all ? [1] : [] }} empty="">${all && html`<${VIEWS[view]} all=${all} admin=${admin} edit=${setEditing} reload=${list.reload} />`}<//></div>
    ${editing && html`<${Edit} one=${editing} onClose=${() => setEditing(null)} reload=${list.reload} />`}`;
}

function Try() {
  const [text, setText] = useState("");
  const [group, setGroup] = useState(false);
  const [said, setSaid] = useState(null);
  const ask = async (event) => { event.preventDefault(); await tryTo(async () => setSaid((await call("POST", "/knowledge/try", { text, group })).explanation)); };
  return html`<section class="card stack"><h2>${t("试一试")}</h2><form class="row wrap" onSubmit=${ask}><input class="grow" type="text" maxlength="500" aria-label=${t("客户会怎么说")} placeholder=${t("客户会怎么说")} value=${text} onInput=${(event) => setText(event.target.value)} />
      <label class="row"><input type="checkbox" checked=${group} onChange=${(event) => setGroup(event.target.checked)} />${t("在群里")}</label><button class="plain main" disabled=${!text.trim()}>${t("试试")}</button></form>
    ${said && html`<div class="stack" role="status"><p><b>${t(BY[said.by])}</b>${said.rule && html`　<span class="mono">${said.rule}</span>`}</p>${said.reply && html`<div class="answer">${said.reply}</div>`}${said.near.map(([question, score]) => html`<div key=${question}>${question} <span class="quiet number">${Math.round(score * 100)}%</span></div>`)}</div>`}</section>`;
}

function Misses({ all, admin, edit }) {
  return html`<${Listing} list=${{ rows: all.misses }} empty=${t("近 30 天没有答不上来的问题。")}><${Table} caption=${t("待补充")} heads=${[t("客户问过"), t("次数"), ""]}>${all.misses.map((one) => html`<tr key=${one.question}><td class="text">${one.question}</td><td class="number">${one.count}</td><td class="act">${admin && html`<button type="button" class="bare" onClick=${() => edit({ kind: "question", questions: [one.question] })}>${t("回答")}</button>`}</td></tr>`)}<//><//>`;
}

function Questions({ all, admin, edit, reload }) {
  const remove = async (one) => (await sure(t("删除这条问答？"), t("删除"))) && tryTo(async () => { await call("DELETE", `/question/${one.id}`); await reload(); }, t("已删除"));
  return html`<${Files} what="questions" admin=${admin} reload=${reload} />
    <${Listing} list=${{ rows: [...all.questions, ...all.configured_questions] }} empty=${t("还没有问答。")}><${Table} caption=${t("问答")} heads=${[t("问题"), t("回答"), ""]}>
      ${all.questions.map((one) => html`<tr key=${one.id}><td class="text">${one.questions.join("\n")}</td><td class="text">${one.answer}</td><td class="act">${admin && html`<button type="button" class="bare" onClick=${() => edit({ kind: "question", ...one })}>${t("修改")}</button><${Button} kind="bare danger" onClick=${() => remove(one)}>${t("删除")}<//>`}</td></tr>`)}
      ${all.configured_questions.map((one, at) => html`<tr key=${`c${at}`}><td class="text">${one.questions.join("\n")}</td><td class="text">${one.answer}</td><td class="act quiet small">faq.yaml</td></tr>`)}<//><//>`;
}

function Keywords({ all, admin, edit, reload }) {
  const remove = async (one) => (await sure(t("删除这个关键词？"), t("删除"))) && tryTo(async () => { await call("DELETE", `/keyword/${one.id}`); await reload(); }, t("已删除"));
  const words = (reply) => (typeof reply === "string" ? reply : reply.map((part) => (typeof part === "string" ? part : part.text || part.image || part.file || part.link?.title)).join("\n"));
  return html`<${Files} what="keywords" admin=${admin} reload=${reload} />
    <${Listing} list=${{ rows: [...all.keywords, ...all.configured_keywords] }} empty=${t("还没有关键词。")}><${Table} caption=${t("关键词")} heads=${[t("规则"), t("词"), t("回复"), ""]}>
      ${all.keywords.map((one) => html`<tr key=${one.id}><td>${t(KINDS[one.kind])}</td><td class="text">${one.word}</td><td class="text">${words(one.reply)}</td><td class="act">${admin && html`${typeof one.reply === "string" && html`<button type="button" class="bare" onClick=${() => edit({ ...one, rule: one.kind, kind: "keyword" })}>${t("修改")}</button>`}<${Button} kind="bare danger" onClick=${() => remove(one)}>${t("删除")}<//>`}</td></tr>`)}
      ${all.configured_keywords.map((one, at) => { const kind = ["equals", "contains", "regex"].find((name) => one[name]); return html`<tr key=${`c${at}`}><td>${t(KINDS[kind])}</td><td class="text">${one[kind]}</td><td class="text">${words(one.reply)}</td><td class="act quiet small">config.yaml</td></tr>`; })}<//><//>`;
}

const VIEWS = { misses: Misses, questions: Questions, keywords: Keywords };

function Files({ what, admin, reload }) {
  const file = useRef(null);
  const take = async (event) => {
    const [chosen] = event.target.files;
    event.target.value = "";
    if (chosen) await tryTo(async () => { await call("POST", `/knowledge/${what}.yaml`, { yaml: await chosen.text() }); await reload(); }, t("已导入"));
  };
  return html`<div class="row"><a class="button" href=${`/console/api/knowledge/${what}.yaml`} download>${t("导出 YAML")}</a>${admin && html`<button type="button" class="plain" onClick=${() => file.current.click()}>${t("导入 YAML")}</button><input type="file" hidden accept=".yaml,.yml" aria-label=${t("导入 YAML")} ref=${file} onChange=${take} />`}</div>`;
}

function Edit({ one, onClose, reload }) {
  const isQuestion = one.kind === "question";
  const [asked, setAsked] = useState(isQuestion ? (one.questions ?? []).join("\n") : one.word ?? "");
  const [answer, setAnswer] = useState(isQuestion ? one.answer ?? "" : one.reply ?? "");
  const [rule, setRule] = useState(one.rule ?? "contains");
  const [where, setWhere] = useState(one.where ?? "both");
  const save = async () => {
    const id = one.id ? { id: one.id } : {};
    const body = isQuestion ? { ...id, questions: asked.split("\n").map((line) => line.trim()).filter(Boolean), answer } : { ...id, kind: rule, word: asked.trim(), reply: answer, where };
    if (await tryTo(() => call("POST", isQuestion ? "/question" : "/keyword", body), t("已保存"))) { await reload(); onClose(); }
  };
  const title = isQuestion ? (one.id ? t("修改问答") : t("添加问答")) : one.id ? t("修改关键词") : t("添加关键词");
  return html`<${Dialog} title=${title} onClose=${onClose}>
    ${isQuestion ? html`<${Field} label=${t("问题，每行一种问法")}><textarea value=${asked} onInput=${(event) => setAsked(event.target.value)}></textarea><//>`
      : html`<${Field} label=${t("规则")}><select value=${rule} onChange=${(event) => setRule(event.target.value)}>${Object.entries(KINDS).map(([id, words]) => html`<option key=${id} value=${id}>${t(words)}</option>`)}</select><//><${Field} label=${t("词")}><input type="text" maxlength="256" value=${asked} onInput=${(event) => setAsked(event.target.value)} /><//>
        <${Field} label=${t("用在")}><select value=${where} onChange=${(event) => setWhere(event.target.value)}><option value="both">${t("私聊和群里")}</option><option value="private">${t("只在私聊")}</option><option value="group">${t("只在群里（@助手时）")}</option></select><//>`}
    <${Field} label=${t("回答")}><textarea value=${answer} onInput=${(event) => setAnswer(event.target.value)}></textarea><//>
    <div class="end"><button type="button" class="plain" onClick=${onClose}>${t("取消")}</button><${Button} kind="main" disabled=${!asked.trim() || !answer.trim()} onClick=${save}>${t("保存")}<//></div><//>`;
}
