// Calls to the sandbox's control API.

/** Send a request; return the JSON answer. Throws an Error with the sandbox's message, and the status if it answered. */
export async function api(method, path, body) {
  const options = { method, headers: {} };
  if (body instanceof FormData) options.body = body;
  else if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error("沙箱没有回应，正在重新连接…");
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw Object.assign(new Error(answer.error?.message ?? `出错了（${response.status}）`), { status: response.status });
  return answer;
}

const quoted = encodeURIComponent;

/** A path of a person: personPath("wxid_a", "chats", "1@chatroom"). */
export function personPath(person, ...parts) {
  return `/api/people/${quoted(person)}${parts.map((part) => `/${quoted(part)}`).join("")}`;
}
