// The lists of the knowledge page. `data`: what the server has; `edit(entry)` opens the form for an entry.
import { call, query } from "../api.js";
import { attempt, confirmAction } from "../dialogs.js";
import { html, useRef, useState } from "../shared/preact.js";
import { Button, Listing, SearchField, Table, useAction } from "../ui.js";
import { t } from "../words.js";
import { RULES } from "./knowledge-edit.js";

const PAGE_SIZE = 200;
const MIN_ROWS_TO_SEARCH = 9;
const BRIEF_LENGTH = 100; // characters

/** The first of the rows whose text contains what is searched for; more on demand. */
function SearchableRows({ rows, textOf, empty, children }) {
  const [q, setQ] = useState("");
  const [limit, setLimit] = useState(PAGE_SIZE);
  const found = rows.filter((row) => textOf(row).toLowerCase().includes(q.trim().toLowerCase()));
  const more = found.length > limit ? async () => setLimit(limit + PAGE_SIZE) : null;
  const list = { rows: found.slice(0, limit), more };
  return html`${rows.length >= MIN_ROWS_TO_SEARCH && html`<${SearchField} kind="search" label=${t("查找")} value=${q} onChange=${setQ} />`}
    <${Listing} list=${list} empty=${rows.length ? t("没有找到。") : empty}>${children(list.rows)}<//>`;
}

const editButton = (onClick) => html`<button type="button" class="bare" onClick=${onClick}>${t("修改")}</button>`;
const removeButton = (onClick) => html`<${Button} kind="bare danger" onClick=${onClick}>${t("删除")}<//>`;
const origin = (name) => html`<span class="muted small">${name}</span>`;

/** Remove an entry by a request after confirmation. */
async function remove(question, request, reload) {
  if (!(await confirmAction(question, t("删除")))) return;
  await attempt(async () => { await call(...request); await reload(); }, t("已删除"));
}

export function Unanswered({ data, admin, edit }) {
  const answer = ({ question }) => edit({ type: "question", questions: [question] });
  const row = (miss) => html`<tr key=${miss.question}><td class="text">${miss.question}</td><td class="number">${miss.count}</td>
    <td class="actions">${admin
      && html`<button type="button" class="bare" onClick=${() => answer(miss)}>${t("回答")}</button>`}</td></tr>`;
  return html`<${SearchableRows} rows=${data.misses} textOf=${({ question }) => question} empty=${t("近 30 天没有未能回答的问题。")}>
    ${(rows) => html`<${Table} caption=${t("待补充")} headings=${[t("客户问过"), t("次数"), ""]}>${rows.map(row)}<//>`}<//>`;
}

export function Questions({ data, admin, edit, reload, assistant }) {
  const rows = [...data.questions, ...data.configured_questions];
  const actions = (entry) => html`${editButton(() => edit({ ...entry, type: "question" }))}
    ${removeButton(() => remove(t("删除这条问答？"), ["DELETE", `/question/${entry.id}`], reload))}`;
  const row = (entry, index) => html`<tr key=${entry.id ?? `configured ${index}`}>
    <td class="text">${entry.questions.join("\n")}</td><td class="text">${entry.answer}</td>
    <td class="actions">${entry.id ? admin && actions(entry) : origin(data.faq_file)}</td></tr>`;
  const textOf = ({ questions, answer }) => [...questions, answer].join("\n");
  return html`<${Files} name="questions" admin=${admin} reload=${reload} assistant=${assistant} />
    <${SearchableRows} rows=${rows} textOf=${textOf} empty=${t("还没有问答。")}>
      ${(found) => html`<${Table} caption=${t("问答")} headings=${[t("问题"), t("回答"), ""]}>${found.map(row)}<//>`}<//>`;
}

/** A reply as text; those of the config may have several parts. */
function replyText(reply) {
  if (typeof reply === "string") return reply;
  const partText = (part) => (typeof part === "string" ? part : part.text || part.image || part.file || part.link?.title);
  return reply.map(partText).join("\n");
}

/** The rule and word of a keyword; those of the config are written { RULE: WORD, … }. */
function ruleAndWord(keyword) {
  if (keyword.kind) return [keyword.kind, keyword.word];
  const rule = Object.keys(RULES).find((name) => keyword[name]);
  return [rule, keyword[rule]];
}

export function Keywords({ data, admin, edit, reload, assistant }) {
  const rows = [...data.keywords, ...data.configured_keywords];
  const actions = (keyword) => html`
    ${typeof keyword.reply === "string" && editButton(() => edit({ ...keyword, type: "keyword" }))}
    ${removeButton(() => remove(t("删除这个关键词？"), ["DELETE", `/keyword/${keyword.id}`], reload))}`;
  const row = (keyword, index) => {
    const [rule, word] = ruleAndWord(keyword);
    return html`<tr key=${keyword.id ?? `configured ${index}`}><td>${t(RULES[rule])}</td>
      <td class="text">${word}</td><td class="text">${replyText(keyword.reply)}</td>
      <td class="actions">${keyword.id ? admin && actions(keyword) : origin(t("配置文件"))}</td></tr>`;
  };
  const textOf = (keyword) => `${ruleAndWord(keyword)[1]}\n${replyText(keyword.reply)}`;
  return html`<${Files} name="keywords" admin=${admin} reload=${reload} assistant=${assistant} />
    <${SearchableRows} rows=${rows} textOf=${textOf} empty=${t("还没有关键词。")}>
      ${(found) => html`<${Table} caption=${t("关键词")} headings=${[t("规则"), t("词"), t("回复"), ""]}>${found.map(row)}<//>`}<//>`;
}

export function CannedReplies({ data, admin, edit, reload }) {
  const row = (reply) => html`<tr key=${reply.name}><td>${reply.name}</td><td class="text">${reply.text}</td>
    <td class="actions">${!reply.added && origin(t("配置文件"))}
      ${admin && editButton(() => edit({ ...reply, type: "canned" }))}
      ${admin && reply.added
        && removeButton(() => remove(t("删除这条快捷回复？"), ["POST", "/canned/remove", { name: reply.name }], reload))}</td></tr>`;
  return html`<p class="muted">${t("客服在工单里选用，或在客服群里写 #工单号 /名称。")}</p>
    <${SearchableRows} rows=${data.canned} textOf=${({ name, text }) => `${name}\n${text}`} empty=${t("还没有快捷回复。")}>
      ${(found) => html`<${Table} caption=${t("快捷回复")} headings=${[t("名称"), t("内容"), ""]}>${found.map(row)}<//>`}<//>`;
}

/** A long text shows only its beginning until it is opened. */
function CollapsibleText({ text }) {
  if (text.length <= BRIEF_LENGTH) return text;
  return html`<details><summary>${text.slice(0, BRIEF_LENGTH)}…</summary>${text}</details>`;
}

export function Passages({ data }) {
  const row = ({ title, text, source }) => html`<tr key=${title}><td class="text">${title}</td>
    <td class="text"><${CollapsibleText} text=${text} /></td><td class="mono muted">${source}</td></tr>`;
  const textOf = ({ title, text, source }) => [title, text, source].join("\n");
  return html`<p class="muted">${t("来自配置的资料文件夹，改文件后在设置里重新加载。")}</p>
    <${SearchableRows} rows=${data.passages} textOf=${textOf}
      empty=${t("还没有资料：在配置里用 customer_service.knowledge 指定一个文件夹。")}>
      ${(found) => html`<${Table} caption=${t("资料")} headings=${[t("标题"), t("内容"), t("文件")]}>${found.map(row)}<//>`}<//>`;
}

/** Export to a YAML file, and import of one. */
function Files({ name, admin, reload, assistant }) {
  const input = useRef(null);
  const path = `/knowledge/${name}.yaml${query({ assistant })}`;
  const [importFile, isImporting] = useAction((file) => attempt(async () => {
    await call("POST", path, { yaml: await file.text() });
    await reload();
  }, t("已导入")));
  const choose = (event) => {
    const [file] = event.target.files;
    event.target.value = ""; // so that the same file can be chosen again
    if (file) importFile(file);
  };
  return html`<div class="row"><a class="button" href=${`/console/api${path}`} download>${t("导出 YAML")}</a>
    ${admin && html`<button type="button" class="plain" aria-busy=${isImporting} aria-disabled=${isImporting}
        onClick=${() => isImporting || input.current.click()}>${t("导入 YAML")}</button>
      <input type="file" hidden accept=".yaml,.yml" aria-label=${t("导入 YAML")} ref=${input} onChange=${choose} />`}</div>`;
}
