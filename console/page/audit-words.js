// What the audit log's lines are called, by their kinds.
export const AUDIT = {
  accept: "通过好友", add: "拉人入群", admin: "添加管理员", admin_removed: "移除管理员", alias: "改备注名", announce: "发群公告", announcement: "改回群公告",
  assistant: "设置助手", assistant_removed: "移除助手", blacklist: "拉黑", blocked_word: "添加屏蔽词", blocked_word_removed: "删除屏蔽词",
  broadcast: "群发", broadcast_cancelled: "取消群发", canned: "改快捷回复", canned_removed: "删除快捷回复", close: "关闭群", console_link: "取登录链接", console_login: "登录后台",
  console_logout: "退出后台", enter: "接受入群邀请", flow_ended: "结束流程", forgive: "解除拉黑", group: "建群", keyword: "改关键词",
  keyword_removed: "删除关键词", keywords_imported: "导入关键词", log_out: "退出微信", message_resend: "重发消息", question: "改问答",
  question_removed: "删除问答", questions_imported: "导入问答", reload: "重新加载配置", room_recognised: "认领群", remove: "移出群", report: "设置日报",
  staff_room: "绑定客服群", ticket_assign: "分配工单", ticket_close: "结束工单", ticket_note: "写备注", ticket_reopen: "重新打开工单",
  ticket_reply: "回复客户", timed: "添加定时消息", timed_removed: "删除定时消息", token: "换令牌", topic: "改群名", topic_restored: "改回群名", warn: "警告",
  webhook_resend: "重发通知", welcome: "改欢迎语",
};

// What was observed in WeChat after an action.
export const SEEN = { joined: "已入群", invited: "已邀请", owner_asked: "等待群主同意", "not seen in the room": "群里没有看到" };
