// Sending again what has failed: a message or a webhook delivery.
import { call } from "../api.js";
import { attempt, toast } from "../dialogs.js";
import { t } from "../words.js";

export const resend = (path, reload) => attempt(async () => {
  const { sent_again: isQueued } = await call("POST", `${path}/resend`, {});
  toast(isQueued ? t("已重新排队发送") : t("它没有失败，无需重发"));
  await reload();
});
