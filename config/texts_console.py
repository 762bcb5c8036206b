"""Texts in WeChat about the console."""

from __future__ import annotations

from config.section import Section


class ConsoleTexts(Section):
    """The answers to /登录 /登出, what the staff room is shown of the console, and alerts to admins."""

    console_link: str = "管理后台登录链接（{minutes} 分钟内有效，只能使用一次，请勿转发）：\n{url}"
    console_logged_out: str = "已退出管理后台，共结束 {count} 个会话。"
    ticket_answered_in_console: str = "{staff} 在后台回复：{words}"
    ticket_closed_in_console: str = "{staff} 在后台结束了 #{number}。"
    assistant_away: str = "助手 {account} 已离线 {minutes} 分钟（{reason}），请在管理后台查看：{url}/console/"
    assistant_back: str = "助手 {account} 已恢复在线。"
