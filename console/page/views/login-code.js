// The login QR code of an account, and how far its scan has come.
import { html } from "../shared/preact.js";
import { t } from "../words.js";

const SCAN_STATES = { waiting: "请用微信扫码登录", scanned: "已扫码，请在手机上确认登录", expired: "二维码已过期，正在等待新的二维码" };

export function LoginCode({ account: { account: name, since, scan }, admin }) {
  const address = `/console/api/assistant/${encodeURIComponent(name)}/login.svg?${since}${scan}`;
  return html`<div class="stack" role="status">
    ${admin && html`<img class=${`qr ${scan === "waiting" ? "" : "faded"}`} src=${address} alt=${t("登录二维码")} />`}
    <p class="warning">${admin ? t(SCAN_STATES[scan]) : t("等待管理员扫码登录")}</p></div>`;
}
