"""Courtesies, texts of the staff room, and messages to admins about tickets."""

from __future__ import annotations

from config.section import Section


class StaffTexts(Section):
    """Courtesies, and texts of the staff room."""

    courtesy_greeting: str = "您好，请问有什么可以帮您？"
    courtesy_thanks: str = "不客气，很高兴能帮到您。"
    courtesy_goodbye: str = "再见，祝您生活愉快！"
    courtesy_acknowledgement: str = "好的，有需要随时告诉我。"

    ticket_remind: str = "#{number} {name} 已等待 {minutes} 分钟，还没有人答复。请回复“#{number} 内容”。"
    ticket_remind_admin: str = "#{number} {name} 已等待 {minutes} 分钟，还没有人答复，请安排人员处理。"
    ticket_room_refused: str = (
        "#{number} {name} 的消息没能发到客服群（{reason}）。客户已收到说明，请检查助手是否还在群里；10 分钟后会再试。"
    )
    ticket_client_refused: str = (
        "#{number} {name} 没能转到接待人员的企业微信（{reason}）。客户已收到说明，可以在管理后台答复；10 分钟后会再试。"
    )
    ticket_in_console: str = "#{number} {name} 请求人工服务，请在管理后台答复。"
    ticket_malformed: str = (
        "这句没有发给 #{number} 的客户。写法：“#{number} 结束”结束，“#{number} 转 @同事”转交，"
        "“#{number} 记录 内容”备注，“#{number} 历史”查看记录，“#{number} /名称”快捷回复。"
        "要原样发给客户，请写“#{number} -{words}”。"
    )
    ticket_meant: str = "这句没有发给客户。要发给 #{number} {name}，请写“#{number} 内容”。"
    ticket_notes: str = "备注：{notes}"
    ticket_history: str = "#{number} {name} 的记录：\n{history}"
    ticket_earlier: str = "以前的会话：{tickets}"
    service_levels: str = (
        "客服：新会话 {opened}，已答复 {answered}，已结束 {closed}；"
        "首次答复中位 {first_answer}，解决中位 {resolution}，"
        "平均评分 {mark}"
    )
    service_levels_staff: str = (
        "{staff}：会话 {tickets}，首次答复中位 {first_answer}，解决中位 {resolution}，平均评分 {mark}"
    )
    duration_seconds: str = "{number} 秒"
    duration_minutes: str = "{number} 分钟"
    duration_hours: str = "{number} 小时"
