// What the protocol's names mean, in a few words.
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

/** A trace entry in Chinese; the protocol's own name where there is no better word. */
export function meaning({ what, name }) {
  return (what === "event" ? EVENTS[name] : CALLS[name]) ?? "读取";
}
