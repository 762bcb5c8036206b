// The conversation of a ticket.
import { html, useLayoutEffect, useRef } from "../shared/preact.js";
import { Button, State, Time } from "../ui.js";
import { t } from "../words.js";
import { resend } from "./resend.js";

const KINDS = {
  image: t("图片"),
  file: t("文件"),
  audio: t("语音"),
  video: t("视频"),
  emoticon: t("表情"),
  card: t("名片"),
  contact: t("名片"),
  link: t("链接"),
  mini_program: t("小程序"),
  location: t("位置"),
  chat_history: t("聊天记录"),
  transfer: t("转账"),
  red_envelope: t("红包"),
  recalled: t("撤回了一条消息"),
  pat: t("拍一拍"),
};
const END_TOLERANCE = 40; // pixels from the end at which new messages are followed

/** `followsEnd`: a ref, whether to scroll to new messages; not while the user reads older ones. */
export function Messages({ data, session, reload, showOlder, followsEnd }) {
  const log = useRef(null);
  const anchor = useRef(null); // the last message and its position at the last rendering
  const { messages, ticket } = data;
  const last = messages.at(-1)?.id;
  const setAnchor = () => {
    const element = log.current.lastElementChild;
    anchor.current = { element, top: element?.offsetTop };
  };
  const scrollToEnd = () => {
    if (followsEnd.current) log.current.scrollTop = log.current.scrollHeight;
  };
  useLayoutEffect(() => { // what the user reads keeps its place when messages before it are added or removed
    const { element, top } = anchor.current ?? {};
    if (!followsEnd.current && element?.isConnected) log.current.scrollTop += element.offsetTop - top;
    setAnchor();
  });
  useLayoutEffect(scrollToEnd, [last]);
  const onImageLoaded = () => { scrollToEnd(); setAnchor(); };
  const onScroll = ({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
    followsEnd.current = scrollTop + clientHeight >= scrollHeight - END_TOLERANCE;
  };
  return html`<div class="messages" ref=${log} role="log" aria-label=${t("对话内容")} tabindex="0"
    onScroll=${onScroll} onLoadCapture=${onImageLoaded}>
    ${showOlder && html`<button type="button" class="bare" onClick=${showOlder}>${t("显示更早的消息")}</button>`}
    ${messages.length === 0 && html`<div class="empty">${t("还没有消息。")}</div>`}
    ${messages.map((message) => html`<${Message} key=${message.id} message=${message} ticket=${ticket} session=${session}
      reload=${reload} />`)}</div>`;
}

function authorOf(message, ticket) {
  if (message.internal) return t("备注 · {name}", { name: message.staff || t("管理员") });
  if (message.by === "customer") return ticket.name || t("客户");
  return message.by === "staff" ? message.staff || t("管理员") : t("助手");
}

function Message({ message, ticket, session, reload }) {
  const kind = `${message.by === "customer" ? "" : "ours"} ${message.internal ? "note" : ""}`;
  return html`<div class=${`bubble ${kind}`}>
    <div class="meta"><span>${authorOf(message, ticket)}</span><${Time} at=${message.at} /></div>
    <div class="body"><${Content} message=${message} /></div>
    ${message.state && html`<${Delivery} message=${message} session=${session} reload=${reload} />`}
  </div>`;
}

function Content({ message: { id, kind, text, media, picture } }) {
  const address = `/console/api/media/${id}`;
  if (media && picture) {
    return html`<a href=${address} target="_blank" rel="noopener"><img src=${address} alt=${text || t("图片")} loading="lazy" /></a>`;
  }
  if (media) return html`<a href=${address} download>${text || t("文件")}</a>`;
  if (kind === "text") return text;
  return `[${KINDS[kind] ?? t("其他消息")}] ${kind === "recalled" ? "" : text}`; // the text of a recalled message is only its id
}

function Delivery({ message, session, reload }) {
  const hasFailed = message.state === "failed" || message.state === "unknown";
  const sendAgain = () => resend(`/message/${message.message_id}`, reload);
  return html`<div class="meta"><${State} of=${message.state} />
    ${hasFailed && html`<span class="failed">${message.error}</span>
      ${session.role === "admin" && html`<${Button} kind="bare" onClick=${sendAgain}>${t("重发")}<//>`}`}</div>`;
}
