// Calls to the console's API.
import { t } from "./words.js";

let csrf = "";
let onLoggedOut = () => {};

export function useSession(session, loggedOut) {
  csrf = session.csrf;
  onLoggedOut = loggedOut;
}

const SENTENCES = {
  1001: "填写的内容不完整或无效。", 1002: "没有权限。", 1003: "登录已过期。", 1004: "内容已不存在。", 1006: "文件太大了（最多 20 MB）。",
  1007: "操作太频繁，请稍后再试。", 2002: "助手不在线，请稍后再试。", 2006: "微信没有接受这个操作，请稍后再试。", 5001: "数据库暂不可用，请稍后再试。",
};

/** Send a request; return the JSON answer, or null for an empty one. Throws an Error with a readable message. */
export async function call(method, path, body) {
  const headers = method === "GET" ? {} : { "X-CSRF-Token": csrf, "Content-Type": "application/json" };
  let response;
  try {
    response = await fetch(`/console/api${path}`, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new Error(t("连接断开了，正在重试…"));
  }
  if (response.status === 204) return null;
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  if (response.status === 401) onLoggedOut();
  const { code, message } = answer.error ?? {};
  throw Object.assign(new Error(SENTENCES[code] ? t(SENTENCES[code]) : message ?? t("出错了（{n}）", { n: response.status })), { status: response.status });
}

/** A key that makes a repeated request safe; pages without HTTPS have no crypto.randomUUID. */
export function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A query string of what is not empty. */
export function query(values) {
  const given = new URLSearchParams(Object.entries(values).filter(([, value]) => value !== "" && value != null));
  return given.size ? `?${given}` : "";
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
