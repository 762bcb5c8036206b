// The content of a bubble, by message kind.
import { send } from "../actions.js";
import { update } from "../store.js";
import { Icon } from "../icons.js";
import { html } from "../shared/preact.js";
import { bytes, pieces } from "../words.js";
import { TokenActions } from "./token.js";

const JUST_EMOJI = /^(?:\p{Extended_Pictographic}[\uFE0F\u200D\u{1F3FB}-\u{1F3FF}]*){1,3}$/u;

/** A text, with what can be tapped below it if it is a menu of 微信客服. */
function Text({ store, message }) {
  const { choices = [], tail = "" } = message.data ?? {};
  const parts = pieces(message.text);
  const tokens = parts.filter((part) => part.token);
  const big = JUST_EMOJI.test(message.text) ? "big" : "";
  return html`
    <div class="bubble ${big}">
      <span class="words">${parts.map((part) => html`<${Piece} part=${part} />`)}</span>
      ${tokens.map((part) => html`<${TokenActions} key=${part.token} store=${store} token=${part.token} />`)}
      ${choices.length > 0 && html`<span class="choices">${choices.map((choice) => html`
        <button type="button" key=${choice} onClick=${() => send(message.chat, { text: choice })}>${choice}</button>`)}</span>`}
      ${tail && html`<span class="words">${tail}</span>`}
    </div>`;
}

function Piece({ part }) {
  if (part.url) return html`<a href=${part.url} target="_blank" rel="noopener noreferrer">${part.url}</a>`;
  if (part.token) return html`<code class="token">${part.token}</code>`;
  return part.text;
}

function Picture({ message }) {
  const { url, name } = message.file;
  return html`
    <button type="button" class="picture" aria-label="看大图：${name}"
      onClick=${() => update({ dialog: { kind: "picture", url, name } })}>
      <img src=${url} alt=${name} loading="lazy" />
    </button>`;
}

function File({ message }) {
  const { url, name, size } = message.file;
  const suffix = name.includes(".") ? name.split(".").pop().slice(0, 4) : "?";
  return html`
    <a class="box file" href=${url} download=${name}>
      <span class="box-main"><span class="box-title">${name}</span><span class="faint">${bytes(size)}</span></span>
      <span class="file-icon" aria-hidden="true">${suffix}</span>
    </a>`;
}

function Video({ message }) {
  return html`<video class="picture" src=${message.file.url} controls preload="metadata" aria-label=${message.file.name}></video>`;
}

function Audio({ message }) {
  const { url, name } = message.file;
  if (/\.(silk?|amr)$/i.test(name)) return html`<${File} message=${message} />`; // browsers cannot play these
  return html`<audio src=${url} controls preload="metadata" aria-label=${name}></audio>`;
}

function Card({ store, message }) {
  const { contact_id: id, name } = message.data;
  return html`
    <button type="button" class="box" onClick=${() => update({ dialog: { kind: "profile", id } })}>
      <span class="box-row"><img class="avatar" src="/api/avatars/${encodeURIComponent(id)}.svg" alt="" />
        <span class="box-title">${store.people.get(id)?.name ?? name}</span></span>
      <span class="box-foot">个人名片</span>
    </button>`;
}

function Link({ message }) {
  const { title, url, description } = message.data;
  const isWeb = /^https?:\/\//i.test(url ?? "");
  const inner = html`
    <span class="box-title">${title || url}</span>
    <span class="box-row"><span class="faint box-text">${description || url}</span><${Icon} name="link" /></span>
    <span class="box-foot">链接</span>`;
  if (!isWeb) return html`<div class="box">${inner}</div>`;
  return html`<a class="box" href=${url} target="_blank" rel="noopener noreferrer">${inner}</a>`;
}

function MiniProgram({ message }) {
  const { title, description, username, appid } = message.data;
  return html`
    <div class="box">
      <span class="faint">${username || appid || "小程序"}</span>
      <span class="box-title">${title || description}</span>
      <span class="box-picture" aria-hidden="true"><${Icon} name="qr" /></span>
      <span class="box-foot">小程序</span>
    </div>`;
}

function Location({ message }) {
  const { name, address, latitude, longitude } = message.data;
  return html`
    <div class="box">
      <span class="box-title">${name || "位置"}</span>
      <span class="faint">${address || `${latitude}, ${longitude}`}</span>
      <span class="box-foot">位置</span>
    </div>`;
}

function Invitation({ message, onTap }) {
  const { topic, state } = message.data;
  const words = `“${message.name}”邀请你加入群聊${topic ? `“${topic}”` : ""}，进入可查看详情。`;
  return html`
    <button type="button" class="box" disabled=${message.mine} onClick=${onTap}>
      <span class="box-title">邀请你加入群聊</span>
      <span class="box-row"><span class="faint box-text">${words}</span><${Icon} name="contacts" /></span>
      <span class="box-foot">${state === "used" ? "已加入" : "加入群聊"}</span>
    </button>`;
}

export const CONTENT = {
  text: Text,
  image: Picture,
  emoticon: Picture,
  file: File,
  video: Video,
  audio: Audio,
  card: Card,
  link: Link,
  mini_program: MiniProgram,
  location: Location,
  invitation: Invitation,
};
