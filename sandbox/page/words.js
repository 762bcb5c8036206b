// Splitting of texts for bubbles, and formatting of times and sizes.
const PIECES = /(https?:\/\/[^\s<>"'“”，。！？、；]+)|(?<![A-Za-z0-9+/=])([A-Za-z0-9+/]{16})(?![A-Za-z0-9+/=])/g;

/** Whether this is a join token: base64 of 12 upper-case hex digits. */
export function isToken(text) {
  try {
    return text.length === 16 && /^[0-9A-F]{12}$/.test(atob(text));
  } catch {
    return false;
  }
}

/** Split a text into { text }, { url } and { token }. */
export function pieces(text) {
  const found = [];
  let from = 0;
  const plain = (to) => { if (to > from) found.push({ text: text.slice(from, to) }); };
  for (const match of text.matchAll(PIECES)) {
    const [whole, url, token] = match;
    if (token && !isToken(token)) continue;
    plain(match.index);
    found.push(url ? { url } : { token });
    from = match.index + whole.length;
  }
  plain(text.length);
  return found;
}

const WEEKDAYS = "日一二三四五六";
const two = (number) => String(number).padStart(2, "0");
const clock = (date) => `${two(date.getHours())}:${two(date.getMinutes())}`;

function daysAgo(date) {
  const midnight = (day) => new Date(day.getFullYear(), day.getMonth(), day.getDate()).getTime();
  return Math.round((midnight(new Date()) - midnight(date)) / 86400000);
}

/** Format the time above a group of messages. */
export function longTime(seconds) {
  const date = new Date(seconds * 1000);
  const days = daysAgo(date);
  if (days === 0) return clock(date);
  if (days === 1) return `昨天 ${clock(date)}`;
  if (days < 7) return `星期${WEEKDAYS[date.getDay()]} ${clock(date)}`;
  return `${date.getFullYear()}年${date.getMonth() + 1}月${date.getDate()}日 ${clock(date)}`;
}

/** Format the time in the list of chats. */
export function shortTime(seconds) {
  const date = new Date(seconds * 1000);
  const days = daysAgo(date);
  if (days === 0) return clock(date);
  if (days === 1) return "昨天";
  if (days < 7) return `星期${WEEKDAYS[date.getDay()]}`;
  return `${date.getFullYear() % 100}/${date.getMonth() + 1}/${date.getDate()}`;
}

/** Format a time to the second, for the trace. */
export function exactTime(seconds) {
  const date = new Date(seconds * 1000);
  return `${clock(date)}:${two(date.getSeconds())}`;
}

/** Format a file size. */
export function bytes(size) {
  if (size < 1024) return `${size} B`;
  if (size < 1024 * 1024) return `${(size / 1024).toFixed(1)} KB`;
  return `${(size / 1024 / 1024).toFixed(1)} MB`;
}

/** Copy to the clipboard, also where navigator.clipboard is unavailable. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}
