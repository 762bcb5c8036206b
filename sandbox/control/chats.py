"""Control API: chats and messages."""

from __future__ import annotations

import mimetypes
from typing import Any, Final

from aiohttp import web

from sandbox.control import views
from sandbox.control.parsing import actor, body, integer, text, texts
from sandbox.gateway.files import kind_of
from sandbox.world.model import ChatMessage, Kind, Person, Refused
from sandbox.world.rooms import is_room
from sandbox.world.world import World

MAX_MESSAGES: Final = 200  # messages per response


def mime_of(name: str) -> str:
    """Guess the media type from a file name."""
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


async def list_chats(request: web.Request) -> web.Response:
    """GET /api/people/{person}/chats: most recent first, with last message and unread count."""
    world, me = actor(request)
    return web.json_response({"chats": [views.chat(world, chat, me.id) for chat in world.chats.of(me.id)]})


async def get_chat(request: web.Request) -> web.Response:
    """GET /api/people/{person}/chats/{chat}: a group with its members, or the other person.

    For a group that the person has left, only its line in the chat list and `gone`.
    """
    world, me = actor(request)
    chat = _chat(request, world, me)
    line = views.chat(world, chat, me.id)
    if is_room(chat) and me.id not in world.rooms.get(chat).members:
        return web.json_response({**line, "gone": True})
    if is_room(chat):
        return web.json_response({**line, "group": views.room(world, world.rooms.get(chat), me.id)})
    return web.json_response({**line, "person": views.person(world, world.people.get(chat), me.id)})


async def list_messages(request: web.Request) -> web.Response:
    """GET /api/people/{person}/chats/{chat}/messages?before=SEQ&limit=50: oldest first."""
    world, me = actor(request)
    limit = min(integer(request.query.get("limit"), 50), MAX_MESSAGES)
    before = integer(request.query.get("before"), 0) or None
    messages = world.chats.history(me.id, _chat(request, world, me), before=before, limit=limit)
    return web.json_response({"messages": [views.message(world, msg, me.id) for msg in messages]})


async def send(request: web.Request) -> web.Response:
    """POST /api/people/{person}/chats/{chat}/messages: send a message.

    The body is one of {"text", "mentions"?}, {"card": id}, {"link": {title, url, description?, thumbnailUrl?}},
    {"mini_program": {…}}, {"location": {…}}, or a form with a `file` (and a `kind`, unless the file name implies it).
    """
    world, me = actor(request)
    chat = request.match_info["chat"]
    if request.content_type.startswith("multipart/"):
        msg = await _send_file(request, world, me, chat)
    else:
        msg = _send(world, me, chat, await body(request))
    return web.json_response(views.message(world, msg, me.id), status=201)


async def mark_read(request: web.Request) -> web.Response:
    """POST /api/people/{person}/chats/{chat}/read: mark all messages as read."""
    world, me = actor(request)
    world.chats.mark_read(me.id, _chat(request, world, me))
    return web.json_response({})


async def recall(request: web.Request) -> web.Response:
    """POST /api/people/{person}/messages/{seq}/recall: recall an own message."""
    world, me = actor(request)
    msg = world.chats.recall(me.id, integer(request.match_info["seq"], 0))
    return web.json_response(views.message(world, msg, me.id))


def _chat(request: web.Request, world: World, me: Person) -> str:
    """Return the id of the chat in the path; raise ObjectNotFound for a group the person was never in."""
    chat = request.match_info["chat"]
    return world.rooms.seen_or_left_by(me.id, chat).id if is_room(chat) else world.people.get(chat).id


def _send(world: World, me: Person, chat: str, values: dict[str, Any]) -> ChatMessage:
    if "text" in values:
        return world.chats.say(me.id, chat, text(values, "text"), texts(values, "mentions"))
    if "card" in values:
        return world.chats.send_card(me.id, chat, text(values, "card"))
    for kind in (Kind.LINK, Kind.MINI_PROGRAM, Kind.LOCATION):
        data = values.get(kind.value)
        if isinstance(data, dict):
            if kind is Kind.LINK:
                text(data, "url")
            return world.chats.send_data(me.id, chat, kind, data)
    raise Refused("没有可发送的内容：text、card、link、mini_program、location 或文件")


async def _send_file(request: web.Request, world: World, me: Person, chat: str) -> ChatMessage:
    try:
        form = await request.post()
    except ValueError:
        raise Refused("表单不完整") from None
    upload, kind = form.get("file"), form.get("kind")
    if not isinstance(upload, web.FileField):
        raise Refused("缺少文件")
    if kind and kind not in list(Kind):
        raise Refused("不认识的类型")
    chosen = Kind(kind) if isinstance(kind, str) and kind else kind_of(upload.filename)
    name = upload.filename.encode(errors="replace").decode()  # replaces bytes that are not UTF-8
    return world.chats.send_media(me.id, chat, chosen, name, upload.file.read())


ROUTES: Final = [
    web.get("/api/people/{person}/chats", list_chats),
    web.get("/api/people/{person}/chats/{chat}", get_chat),
    web.get("/api/people/{person}/chats/{chat}/messages", list_messages),
    web.post("/api/people/{person}/chats/{chat}/messages", send),
    web.post("/api/people/{person}/chats/{chat}/read", mark_read),
    web.post("/api/people/{person}/messages/{seq}/recall", recall),
]
