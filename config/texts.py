"""The texts that people read in WeChat, with default wording. `texts:` in config.yaml changes them.

Names in braces are filled in; a configured text must not use others than the default.
"""

from __future__ import annotations

import re
from typing import Any

from pydantic import model_validator

from config.section import check_names, names_in
from config.texts_admin import AdminTexts
from config.texts_console import ConsoleTexts
from config.texts_groups import GroupTexts
from config.texts_staff import StaffTexts

_NAME = re.compile(r"\{(\w+)\}")


class Texts(GroupTexts, AdminTexts, ConsoleTexts, StaffTexts):
    """All texts, by situation."""

    # joining groups
    bad_token: str = "入群令牌无效，请核对后重新发送。"
    expired_token: str = "入群令牌已过期，请向群主索取新的令牌。"
    joining: str = "好的，正在拉您进群“{topic}”。"
    join_by_code: str = "请打开 {url} ，长按识别页面上的二维码，加入“{topic}”。"
    invited: str = "已向您发出“{topic}”的入群邀请，请在 {days} 天内点开确认。"
    waiting_owner: str = "“{topic}”开启了群聊邀请确认，请等群主同意。"
    already_member: str = "您已经在“{topic}”里了。"
    group_full: str = "“{topic}”已满，请联系群主。"
    blacklisted: str = "您暂时不能加入“{topic}”。"
    join_failed: str = "暂时没能拉您进群“{topic}”，稍后会再试，您也可以重新发送令牌。"
    not_allowed: str = "您没有权限执行此命令。"
    admin_bound: str = "绑定成功，您现在是管理员。"
    admin_not_bound: str = "绑定码不正确或已失效。请重新启动助手，并在 30 分钟内发送终端上显示的“绑定 绑定码”。"

    # customer service
    handoff: str = "正在为您转接人工客服，请稍候。"
    handoff_away: str = "人工客服现在不在线，将在 {time} 回复您。您可以先留言，我们都会看到。"
    handoff_waiting: str = "暂时联系不上人工客服，已记下您的请求，会尽快回复您。"
    handoff_in_private: str = "请私聊我发送“人工”，我为您转接人工客服。"
    too_many_messages: str = "您的消息太频繁了，请过一会儿再试。"
    too_many_tickets: str = "您请求人工服务太频繁了，请过一会儿再试。"
    handoff_closed: str = "本次人工服务已结束。请回复 1–5 为本次服务打分，5 分为非常满意。"
    handoff_marked: str = "感谢您的评价！"
    fallback_again: str = "还是没明白您的意思。需要人工服务的话，请回复“人工”，我为您转接。"
    voice_unread: str = "我还听不懂语音，请改用文字发送。"
    knowledge_answer: str = "{passage}\n\n—— 摘自“{title}”"
    knowledge_more: str = "还可以看：\n{questions}\n回复 {numbers} 查看。"
    faq_menu: str = "您是不是想问：\n{questions}\n回复 {numbers} 查看答案，或回复“人工”转人工客服。"

    # the staff room
    ticket_opened: str = (
        "请求人工服务。最近的消息：\n{history}\n—— 回复“#{number} 内容”答复客户，“#{number} 结束”结束。"
    )
    ticket_taken: str = "#{number} 由 {staff} 接待"
    ticket_closed: str = "#{number} {name} 已结束"
    ticket_idle: str = "#{number} {name} {minutes} 分钟没有消息，已结束"
    ticket_marked: str = "#{number} {name} 评分：{mark}"
    ticket_noted: str = "#{number} 已记录"
    ticket_called: str = "#{number} {name}：请在 2 分钟内发图片或文件，会转给客户。"
    ticket_file_sent: str = "#{number} {name}：{kind}已转给客户"
    ticket_file_lost: str = "#{number} {name}：{kind}没能取得，没有转给客户，请重新发送。"
    ticket_undelivered: str = "#{number} {name}：有一条没能送达客户：{words}"
    ticket_relay_lost: str = "#{number} {name}：客户发来的{words}没能转到这里"
    ticket_relays_paused: str = "#{number} {name} 发来的消息太多，后面的暂不转到这里，可以在管理后台查看。"
    ticket_to_whom: str = "没有找到要转给的人，写法：“#{number} 转 @同事”。"
    ticket_no_canned: str = "没有快捷回复“{name}”，现有：{names}"
    ticket_line: str = "#{number} {name}，{minutes} 分钟前，{staff}"
    ticket_nobody: str = "待接待"
    ticket_none: str = "现在没有人工会话。"
    ticket_unknown: str = (
        "没有进行中的 #{number}。写法：“#编号 内容”答复客户，“#编号 结束”结束，“#编号 转 @同事”转交，"
        "“#编号 记录 内容”内部备注，“#编号 /名称”快捷回复，“#”查看列表。"
    )
    no_staff_room: str = (
        "#{number} {name} 在等待人工服务，但助手没有可用的客服群。请管理员把助手拉进客服群，并在群里发送“/绑定客服群”。"
    )
    staff_room_bound: str = "已把本群设为客服群，客户的人工服务请求会发到这里。"
    staff_room_shown: str = "客服群：{topic}（{members} 人）"
    staff_room_gone: str = "助手已不在原来的客服群里。请管理员在客服群里发送“/绑定客服群”。"
    staff_room_none: str = "还没有客服群。请管理员把助手拉进客服群，并在群里发送“/绑定客服群”。"
    staff_room_in_room: str = "请在要设为客服群的群里发送 {command}。"
    staff_room_topic: str = "“{topic}”是客服群的名字，不能用作其他群的群名。"

    # operations
    event_parked: str = "助手在处理一条消息时连续两次异常退出，已跳过这条消息（{kind} {id}）。请查看日志。"

    # flows
    flow_open: str = "您的流程“{flow}”还没有完成（{state}）。回复“取消”可以结束它。"
    flow_asking: str = "正在等您回答"
    flow_calling: str = "正在处理"
    flow_waiting: str = "正在等待结果"
    flow_cancelled: str = "已取消流程“{flow}”。"
    flow_ended: str = "管理员结束了您的流程“{flow}”。"
    flow_too_many: str = "您发起的流程太多了，请过一会儿再试。"
    flow_text_wanted: str = "请用文字回答，或回复“取消”结束。"
    flow_choose: str = "请回复前面的数字。"
    flow_choose_again: str = "没有这个选项。请回复 1 到 {count} 之间的数字，或回复“取消”结束。"
    flow_confirm: str = "回复“确认”继续，回复“取消”结束。"
    flow_confirm_wanted: str = "请回复“确认”继续，或回复“取消”结束。"
    flow_still_calling: str = "还在处理，请稍候……"
    flow_retry: str = "回复“重试”从出错的这一步继续。"
    flow_no_answer: str = "太久没有收到您的回答"
    flow_no_result: str = "等待结果超时"
    flow_late: str = "您{since}发起的流程“{flow}”已经结束，但收到了结果：{result}"
    flow_no_reason: str = "对方没有说明原因"
    flow_missing: str = "缺少{name}"
    flow_system_away: str = "{system}暂时没有应答，请稍后再试"
    flow_system_refused: str = "{system}没有接受请求（{status}）"
    flow_bad_answer: str = "{system}的应答无法识别"
    flow_broken: str = "内部错误"
    flow_list: str = "进行中的流程：\n{runs}\n回复“/流程 结束 编号”可以结束。"
    flow_line: str = "#{id} {flow} {person}，{state}，{since} 起"
    flow_none: str = "没有进行中的流程。"
    flow_end_done: str = "已结束流程 #{id}“{flow}”。"
    flow_end_unknown: str = "没有编号为 {id} 的进行中流程。"
    resend_list: str = "没有送达的通知：\n{events}\n回复“/重发 编号”或“/重发 全部”再次发送。"
    resend_line: str = "#{id} {type} {at} {error}"
    resend_none: str = "没有未送达的通知。"
    resend_done: str = "正在重新发送 {count} 条通知。"
    resend_unknown: str = "没有编号为 {id} 的未送达通知。"

    # reports and jobs
    report_title: str = "【日报】{day}"
    report_group: str = "{topic}：入群 {joins}，退群 {leaves}，消息 {messages}，现有 {members} 人"
    report_misses: str = "没有答上来的问题："
    report_miss: str = "· {question}（{times} 次）"
    report_on: str = "已开启“{topic}”的日报，每天早上私聊发给群主。发送“{command}”停止。"
    report_off: str = "已停止“{topic}”的日报。"
    job_line: str = "{name}：上次 {last}{result}，下次 {next}"
    job_count: str = "（处理 {count} 项）"
    job_nothing: str = "（没有要处理的）"
    job_rooms: str = "（查了 {rooms} 个群，{drifted} 处不一致，已改正 {repaired} 处）"
    job_refused: str = "（时钟不可信，没有执行）"
    job_failed: str = "（失败：{error}）"
    job_none: str = "没有定时任务。"
    job_expire_memberships: str = "清理过期的入群请求"
    job_go_on_with_requests: str = "继续未完成的入群"
    job_timed_messages: str = "定时消息"
    job_drift_check: str = "核对群资料"
    job_expire_flows: str = "清理超时的流程"
    job_idle_tickets: str = "结束空闲的人工会话"
    job_waiting_tickets: str = "通知等待的人工会话"
    job_remind_staff: str = "提醒客服"
    job_offline_alerts: str = "助手离线提醒"
    job_note_pace: str = "记录发送频率"
    job_daily_totals: str = "汇总每日数据"
    job_daily_report: str = "日报"
    job_prune_media: str = "清理旧文件"
    job_prune: str = "清理旧记录"

    @model_validator(mode="after")
    def _known_names(self) -> Texts:
        for name, field in type(self).model_fields.items():
            check_names(name, getattr(self, name), names_in(str(field.default)))
        return self


def fill(text: str, **values: Any) -> str:
    """Fill in {names}; other braces are kept, so that texts of people cannot cause errors."""
    return _NAME.sub(lambda match: str(values.get(match[1], match[0])), text)
