// Calls to the console's API.
import { t } from "./words.js";

const READ_TIMEOUT = 30_000; // milliseconds
const WRITE_TIMEOUT = 180_000; // long enough for an upload of 20 MB by phone

let csrfToken = "";
let onLoggedOut = () => {};

export function setSession(session, loggedOut) {
  csrfToken = session.csrf;
  onLoggedOut = loggedOut;
}

const ERRORS = {
  1001: "填写的内容不完整或无效。",
  1002: "没有权限。",
  1003: "登录已过期。",
  1004: "内容已不存在。",
  1006: "文件太大了（最多 20 MB）。",
  1007: "操作太频繁，请稍后再试。",
  2002: "助手不在线，请稍后再试。",
  2006: "微信没有接受这个操作，请稍后再试。",
  5001: "数据库暂不可用，请稍后再试。",
};

const errorWith = (message, status) => Object.assign(new Error(message), { status });
const connectionError = (isRead) => errorWith(isRead ? t("连接断开了，正在重试…") : t("连接断开了，请稍后再试。"), 0);

/** Whether the same request may succeed later. */
export const isTemporary = ({ status }) => status === 0 || status === 429 || status >= 500;

/** Send a request; return the JSON of the response, or null for an empty one. Throws an Error with a readable message. */
export async function call(method, path, body) {
  const isRead = method === "GET";
  const response = await fetch(`/console/api${path}`, {
    method,
    headers: isRead ? {} : { "X-CSRF-Token": csrfToken, "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: AbortSignal.timeout(isRead ? READ_TIMEOUT : WRITE_TIMEOUT),
  }).catch(() => { throw connectionError(isRead); });
  if (response.status === 204) return null;
  if (response.ok) return response.json().catch(() => { throw connectionError(isRead); }); // lost in the middle of the response
  if (response.status === 401) onLoggedOut();
  const { error = {} } = await response.json().catch(() => ({}));
  const known = ERRORS[error.code];
  throw errorWith(known ? t(known) : error.message ?? t("出错了（{n}）", { n: response.status }), response.status);
}

/** A key that makes a repeated request safe; pages without HTTPS have no crypto.randomUUID. */
function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Idempotency keys: repeated content has the same key until it is forgotten, other content has another one. */
export class RequestKeys {
  #keys = new Map();

  of(content) {
    if (!this.#keys.has(content)) this.#keys.set(content, newKey());
    return this.#keys.get(content);
  }

  forget(content) {
    this.#keys.delete(content);
  }
}

/** What identifies a file for `RequestKeys`. */
export const fileIdentity = (file) => file && [file.name, file.size, file.lastModified];

/** A query string of the values that are not empty. */
export function query(values) {
  const given = Object.entries(values).filter(([, value]) => value !== "" && value != null);
  return given.length ? `?${new URLSearchParams(given)}` : "";
}

/** Read a file as base64. */
export function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(new Error(t("无法读取文件。")));
    reader.readAsDataURL(file);
  });
}
