"""Fields of the official API's requests and responses, as two independent SDKs list them: silenceper/wechat (Go) and
QQ::weixin::work (Perl). The stand-in checks every call of a story against them."""

from __future__ import annotations

from typing import Any, Final

from sandbox.wecom.server import WecomServer

MEDIA: Final = {"media_id"}
CARD: Final = {"title", "desc", "url", "thumb_media_id"}
KINDS: Final[dict[str, set[str]]] = {  # of messages that are sent
    "text": {"content"},
    "image": MEDIA,
    "voice": MEDIA,
    "video": MEDIA,
    "file": MEDIA,
    "link": CARD,
    "miniprogram": {"appid", "title", "thumb_media_id", "pagepath"},
    "msgmenu": {"head_content", "list", "tail_content"},
}
KINDS_OF_ATTACHMENTS: Final = {
    "image": MEDIA | {"pic_url"},
    "link": {"title", "picurl", "desc", "url"},
    "file": MEDIA,
    "video": MEDIA,
}
SENT: Final = {"msgid", "msgtype", *KINDS}
SESSION: Final = {"open_kfid", "external_userid"}
MEMBER: Final = {
    "userid", "type", "join_time", "join_scene", "invitor", "group_nickname", "name", "unionid", "state",
}  # fmt: skip
GROUP: Final = {
    "chat_id", "name", "owner", "create_time", "notice", "member_list", "admin_list", "member_version",
}  # fmt: skip
WAY: Final = {"scene", "remark", "auto_create_room", "room_base_name", "room_base_id", "chat_id_list", "state"}
TASK: Final = {
    "chat_type",
    "external_userid",
    "sender",
    "text",
    "attachments",
    "allow_select",
    "chat_id_list",
    "tag_filter",
}
REQUESTS: Final[dict[str, set[str]]] = {
    "kf/sync_msg": {"cursor", "token", "limit", "voice_format", "open_kfid"},
    "kf/send_msg": {"touser", "open_kfid"} | SENT,
    "kf/send_msg_on_event": {"code"} | SENT,
    "kf/service_state/get": SESSION,
    "kf/service_state/trans": SESSION | {"service_state", "servicer_userid"},
    "kf/customer/batchget": {"external_userid_list", "need_enter_session_context"},
    "kf/add_contact_way": {"open_kfid", "scene"},
    "externalcontact/groupchat/get": {"chat_id", "need_name"},
    "externalcontact/groupchat/add_join_way": WAY,
    "externalcontact/groupchat/get_join_way": {"config_id"},
    "externalcontact/groupchat/del_join_way": {"config_id"},
    "externalcontact/add_msg_template": TASK,
    "externalcontact/get_groupmsg_list_v2": {
        "chat_type", "start_time", "end_time", "creator", "filter_type", "limit", "cursor",
    },
    "externalcontact/get_groupmsg_send_result": {"msgid", "userid", "limit", "cursor"},
    "message/send": {"touser", "msgtype", "agentid", "text", "enable_duplicate_check", "duplicate_check_interval"},
}  # fmt: skip
RESPONSES: Final[dict[str, set[str]]] = {
    "kf/sync_msg": {"next_cursor", "has_more", "msg_list"},
    "kf/send_msg": {"msgid"},
    "kf/send_msg_on_event": {"msgid"},
    "kf/service_state/get": {"service_state", "servicer_userid"},
    "kf/service_state/trans": {"msg_code"},
    "kf/customer/batchget": {"customer_list", "invalid_external_userid"},
    "kf/add_contact_way": {"url"},
    "externalcontact/groupchat/get": {"group_chat"},
    "externalcontact/groupchat/add_join_way": {"config_id"},
    "externalcontact/groupchat/get_join_way": {"join_way"},
    "externalcontact/groupchat/del_join_way": set(),
    "externalcontact/add_msg_template": {"fail_list", "msgid"},
    "externalcontact/get_groupmsg_list_v2": {"next_cursor", "group_msg_list"},
    "externalcontact/get_groupmsg_send_result": {"next_cursor", "send_list"},
    "message/send": {"invaliduser", "invalidparty", "invalidtag", "msgid", "response_code"},
}
EVENTS: Final[dict[str, set[str]]] = {
    "enter_session": {"scene", "scene_param", "welcome_code", "wechat_channels"},
    "msg_send_fail": {"fail_msgid", "fail_type"},
    "session_status_change": {"change_type", "old_servicer_userid", "new_servicer_userid", "msg_code"},
    "user_recall_msg": {"recall_msgid"},
}
RECEIVED: Final = {
    "msgid",
    "open_kfid",
    "external_userid",
    "send_time",
    "origin",
    "servicer_userid",
    "msgtype",
    "event",
}


class CheckedServer(WecomServer):
    """A stand-in that records calls, request fields and response fields unknown to the SDKs."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.unknown: set[str] = set()

    def _call(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        self._note(path, REQUESTS.get(path, set()), body)
        if "msgtype" in body and path.startswith("kf/"):
            self._note(f"{path} {body['msgtype']}", KINDS[body["msgtype"]], body[body["msgtype"]])
        for attachment in body.get("attachments", ()):
            self._note(
                f"{path} attachment", KINDS_OF_ATTACHMENTS[attachment["msgtype"]], attachment[attachment["msgtype"]]
            )
        answer = super()._call(path, body)
        self._note(f"{path} ->", RESPONSES.get(path, set()) | {"errcode", "errmsg"}, answer)
        for message in answer.get("msg_list", ()):
            self._note(f"{path} -> message", RECEIVED | {message["msgtype"]}, message)
            event = message.get("event", {})
            known = EVENTS.get(event.get("event_type", ""), set()) | {"event_type", "open_kfid", "external_userid"}
            self._note(f"{path} -> {event.get('event_type')}", known, event)
        chat = answer.get("group_chat", {})
        self._note(f"{path} -> group", GROUP, chat)
        for member in chat.get("member_list", ()):
            self._note(f"{path} -> member", MEMBER, member)
        self._note(f"{path} -> way", WAY | {"config_id", "qr_code"}, answer.get("join_way", {}))
        return answer

    def _note(self, what: str, known: set[str], given: dict[str, Any]) -> None:
        self.unknown |= {f"{what}: {name}" for name in given.keys() - known}
