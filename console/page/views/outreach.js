// 群发与定时: the broadcasts with their results, and the timed messages.
import { call } from "../api.js";
import { Dialog, attempt, confirmAction, toast, useDialog } from "../dialogs.js";
import { useList, useLoad } from "../load.js";
import { html, useEffect, useState } from "../shared/preact.js";
import { Button, Listing, Loaded, State, Table, Tabs, Time } from "../ui.js";
import { formatActor, t } from "../words.js";
import { NewBroadcast } from "./new-broadcast.js";
import { NewTimed, formatSchedule } from "./new-timed.js";

const RESULT_INTERVAL = 2_000; // milliseconds

export function Outreach({ admin }) {
  const [view, setView] = useState("broadcasts");
  const [created, setCreated] = useState(0); // counts what was created; the list is loaded again after each
  const [dialog, openDialog] = useDialog();
  const isTimed = view === "timed";
  const View = isTimed ? TimedMessages : Broadcasts;
  const New = dialog?.subject === "timed" ? NewTimed : NewBroadcast;
  const onCreated = () => { dialog.close(); setCreated((count) => count + 1); };
  return html`<div class="heading"><h1>${t("群发与定时")}</h1><div class="tools">
      <${Tabs} label=${t("视图")} value=${view} onChange=${setView} options=${[["broadcasts", t("群发")], ["timed", t("定时")]]} />
      ${admin && html`<button type="button" class="plain main" onClick=${() => openDialog(view)}>
        ${isTimed ? t("新的定时消息") : t("新的群发")}</button>`}</div></div>
    <${View} key=${`${view} ${created}`} admin=${admin} />
    ${dialog && html`<${New} key=${dialog.id} onClose=${dialog.close} onCreated=${onCreated} />`}`;
}

function Broadcasts({ admin }) {
  const list = useList("/broadcast", "broadcasts");
  const [dialog, openDialog] = useDialog();
  const closeDialog = () => { dialog.close(); list.reload(); };
  const state = ({ cancelled, scheduled }) => (cancelled ? "cancelled" : scheduled ? "scheduled" : "");
  const row = (broadcast) => html`<tr key=${broadcast.id}>
    <td class="number">${broadcast.id}</td>
    <td class="text">${broadcast.text || (broadcast.name ? `[${broadcast.name}]` : t("[图片或文件]"))}</td>
    <td>${formatActor(broadcast.by, broadcast.by_name)}</td>
    <td><${Time} at=${broadcast.run_at ?? broadcast.created_at} />
      ${state(broadcast) && html`${" "}<${State} of=${state(broadcast)} />`}</td>
    <td class="actions">${admin && broadcast.scheduled
      && html`<${Button} kind="bare danger" onClick=${() => cancel(broadcast.id, list.reload)}>${t("取消发送")}<//>`}
      <button type="button" class="bare" onClick=${() => openDialog(broadcast.id)}>${t("结果")}</button></td></tr>`;
  return html`<${Listing} list=${list} empty=${t("还没有群发。")}>
      <${Table} caption=${t("群发")} headings=${["#", t("内容"), t("创建者"), t("时间"), ""]}>${list.rows.map(row)}<//><//>
    ${dialog && html`<${Result} key=${dialog.id} id=${dialog.subject} admin=${admin} onClose=${closeDialog} />`}`;
}

/** Cancel a broadcast after confirmation; what has been sent stays. */
async function cancel(id, reload) {
  if (!(await confirmAction(t("取消这次群发？还没有发出的不再发送，已经发出的收不回来。"), t("取消发送")))) return;
  await attempt(async () => {
    const { cancelled } = await call("POST", `/broadcast/${id}/cancel`, {});
    toast(cancelled ? t("已取消，{n} 条不再发送", { n: cancelled }) : t("已经全部发出，没有可取消的"));
    await reload();
  });
}

const receiversOf = ({ groups, friends }) => [
  ...groups.map(({ topic, number, state }) => ({ name: topic || `#${number}`, kind: t("群"), state })),
  ...friends.map(({ name, contact_id: id, state }) => ({ name: name || id, kind: t("好友"), state })),
];

function Result({ id, admin, onClose }) {
  const resource = useLoad(`/broadcast/${id}`);
  const receivers = resource.data ? receiversOf(resource.data.broadcast) : [];
  const count = (...states) => receivers.filter(({ state }) => states.includes(state)).length;
  useEffect(() => {
    if (!count("queued", "sending")) return undefined;
    const timer = setTimeout(resource.reload, RESULT_INTERVAL);
    return () => clearTimeout(timer);
  }, [resource.data]);
  const counts = { sent: count("sent"), failed: count("failed", "unknown"), all: receivers.length };
  const row = ({ name, kind, state }, index) => html`<tr key=${index}><td class="text">${name}</td><td class="muted small">${kind}</td>
    <td class="actions"><${State} of=${state} /></td></tr>`;
  return html`<${Dialog} title=${t("群发结果")} onClose=${onClose}>
    <${Loaded} resource=${resource}>${({ broadcast }) => html`
      <p><${State} of=${broadcast.state} />　${t("已发送 {sent}，失败 {failed}，共 {all}", counts)}</p>
      <div class="picker"><table><tbody>${receivers.map(row)}</tbody></table></div>`}<//>
    <div class="dialog-buttons">${admin && count("queued") > 0
      && html`<${Button} kind="danger" onClick=${() => cancel(id, resource.reload)}>${t("取消发送")}<//>`}
      <button type="button" class="plain" onClick=${onClose}>${t("关闭")}</button></div><//>`;
}

function TimedMessages({ admin }) {
  const list = useList("/timed", "timed");
  const remove = async (message) => {
    if (!(await confirmAction(t("删除这条定时消息？"), t("删除")))) return;
    await attempt(async () => { await call("DELETE", `/timed/${message.id}`); await list.reload(); }, t("已删除"));
  };
  const row = (message) => html`<tr key=${message.id}>
    <td>${message.topic}</td><td class="text">${message.text}</td><td>${formatSchedule(message.cron)}</td>
    <td><${Time} at=${message.next_at} /></td>
    <td class="actions">${admin && html`<${Button} kind="bare danger" onClick=${() => remove(message)}>${t("删除")}<//>`}</td></tr>`;
  return html`<${Listing} list=${list} empty=${t("还没有定时消息。")}>
    <${Table} caption=${t("定时")} headings=${[t("群"), t("内容"), t("时间表"), t("下一次"), ""]}>${list.rows.map(row)}<//><//>`;
}
