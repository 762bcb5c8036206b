"""Texts of administration commands."""

from __future__ import annotations

from config.section import Section


class AdminTexts(Section):
    """Replies to /群列表 /管理员 /问答 /重载."""

    quns_shown: str = "共 {count} 个群：\n{lines}"
    quns_first: str = "最近的 {count} 个群（发送“/群列表 词”查找更多）：\n{lines}"
    qun_line: str = "{number} {topic}，{members} 人，{state}"
    quns_none: str = "没有找到群。"
    state_closed: str = "已关闭"
    admins_shown: str = "管理员：\n{lines}"
    admin_line: str = "#{id} {name}"
    admin_line_configured: str = "{name}（配置文件）"
    admin_added: str = "{name} 现在是管理员。"
    admin_known: str = "{name} 已经是管理员。"
    admin_removed: str = "{name} 不再是管理员。"
    admin_last: str = "不能删除最后一位管理员。"
    admin_unknown: str = "没有编号为 {id} 的管理员。"
    admin_not_found: str = "好友里没有微信号“{name}”。管理员按微信号添加，不能用昵称。"
    questions_shown: str = "问答：\n{lines}"
    question_line: str = "#{id} {questions} = {answer}"
    question_added: str = "已添加问答 #{id}。"
    question_changed: str = "已更新问答 #{id}。"
    question_removed: str = "已删除问答 #{id}。"
    question_unknown: str = "没有编号为 {id} 的问答。"
    reloaded: str = "已重新加载配置，更新了：{changed}。"
    reloaded_nothing: str = "配置没有变化。"
    reload_restart: str = "以下更改需要重启：{restart}。"
    reload_failed: str = "配置有误，没有做任何更改：{why}"
