// Short descriptions of the names of the protocol.
import { nameOf, state } from "../store.js";

const KINDS = { image: "图片", emoticon: "表情", file: "文件", audio: "语音", video: "视频", card: "名片", link: "链接", mini_program: "小程序", location: "位置" };
const SEQ_DIGITS = 12; // a message id on the wire ends with the world's sequence number of the message

const EVENTS = {
  message: "听到消息",
  friendship: "好友事件",
  "room-join": "有人进群",
  "room-leave": "有人离群",
  "room-topic": "群名变了",
  "room-invite": "收到群邀请",
  login: "已登录",
  logout: "被登出",
  ready: "就绪",
  scan: "等待扫码",
  error: "网关报错",
  dirty: "资料变了",
  heartbeat: "心跳",
};

const CALLS = {
  MessageSendText: "发文字",
  MessageSendFile: "发文件",
  MessageSendFileStream: "发文件",
  MessageSendUrl: "发链接",
  MessageSendContact: "发名片",
  MessageSendMiniProgram: "发小程序",
  MessageSendLocation: "发位置",
  MessageForward: "转发",
  MessageRecall: "撤回",
  RoomCreate: "建群",
  RoomAdd: "拉人进群",
  RoomDel: "移出群",
  RoomQuit: "退群",
  RoomTopic: "群名",
  RoomAnnounce: "群公告",
  RoomQRCode: "群二维码",
  FriendshipAdd: "加好友",
  FriendshipAccept: "通过好友",
  RoomInvitationAccept: "接受群邀请",
  Start: "启动",
  Stop: "停止",
  Logout: "退出登录",
};

/** Describe a trace entry in Chinese; falls back to the name in the protocol. */
export function title({ what, name }) {
  return (what === "event" ? EVENTS[name] : CALLS[name]) ?? "读取";
}

/** The text, people and group that a trace entry is about, as far as known. */
export function describe({ what, name, payload, request }) {
  const facts = (what === "event" ? payload : request) ?? {};
  if (name === "message") return messageText(facts.messageId);
  const people = [facts.inviteeIdList, facts.removeeIdList, facts.contactIds, facts.contactId].flat().filter(Boolean).map(nameOf);
  const words = facts.text ?? facts.newTopic ?? facts.topic ?? "";
  const where = titleOf(facts.roomId ?? facts.conversationId ?? (name.startsWith("Room") ? facts.id : ""));
  return [where, people.join("、"), words].filter(Boolean).join("：");
}

/** A message event of the assistant, if the person at this page can see the message too. */
function messageText(id = "") {
  const seq = Number(id.slice(-SEQ_DIGITS));
  for (const messages of state.messages.values()) {
    const found = messages.find((message) => message.seq === seq);
    if (found) return `${found.name}：${found.text || `[${KINDS[found.kind] ?? found.kind}]`}`;
  }
  return "";
}

function titleOf(id) {
  if (!id) return "";
  return state.chats.find((line) => line.id === id)?.name ?? (state.people.has(id) ? nameOf(id) : "");
}
