"""Control API: people and friendships."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from sandbox.control import views
from sandbox.control.parsing import WORLD, actor, body, flag, text
from sandbox.world.model import Refused

CONTACT_QR: Final = "https://u.wechat.com/"


async def list_people(request: web.Request) -> web.Response:
    """GET /api/people: list all people."""
    world = request.app[WORLD]
    return web.json_response({"people": [views.person(world, person) for person in world.state.people.values()]})


async def create_person(request: web.Request) -> web.Response:
    """POST /api/people {"name", "id"?, "weixin"?, "phone"?, "official"?}: create a person."""
    world = request.app[WORLD]
    values = await body(request)
    person = world.people.create(
        text(values, "name"),
        text(values, "id", ""),
        weixin=text(values, "weixin", ""),
        official=flag(values, "official", False),
        phone=text(values, "phone", ""),
    )
    world.feed.emit_all({"type": "person", "id": person.id, "name": person.name})
    return web.json_response(views.person(world, person), status=201)


async def rename_person(request: web.Request) -> web.Response:
    """PATCH /api/people/{person} {"name"}: change the nickname."""
    world, me = actor(request)
    world.people.rename(me.id, text(await body(request), "name"))
    return web.json_response(views.person(world, me))


async def list_friends(request: web.Request) -> web.Response:
    """GET /api/people/{person}/friends: list the person's friends."""
    world, me = actor(request)
    friends = [views.person(world, world.people.get(friend), me.id) for friend in sorted(me.friends)]
    return web.json_response({"friends": friends})


async def add_friend(request: web.Request) -> web.Response:
    """POST /api/people/{person}/friends {"to", "hello"?, "now"?}: send a friend request; `now` skips confirmation."""
    world, me = actor(request)
    values = await body(request)
    to = world.people.get(text(values, "to")).id
    if flag(values, "now", False):
        world.people.befriend(me.id, to)
        return web.json_response({"state": "accepted"}, status=201)
    friendship = world.people.ask(me.id, to, text(values, "hello", ""))
    return web.json_response({"id": friendship.id, "state": friendship.state}, status=201)


async def forget_friend(request: web.Request) -> web.Response:
    """DELETE /api/people/{person}/friends/{other}: delete a friend."""
    world, me = actor(request)
    world.people.forget(me.id, request.match_info["other"])
    return web.json_response({})


async def set_alias(request: web.Request) -> web.Response:
    """PUT /api/people/{person}/friends/{other}/alias {"alias"}: set the remark."""
    world, me = actor(request)
    other = request.match_info["other"]
    world.people.set_alias(me.id, other, text(await body(request), "alias"))
    return web.json_response(views.person(world, world.people.get(other), me.id))


async def list_requests(request: web.Request) -> web.Response:
    """GET /api/people/{person}/requests: list open friend requests to this person."""
    world, me = actor(request)
    waiting = [f.id for f in world.state.friendships.values() if f.asked == me.id and f.state == "waiting"]
    return web.json_response({"requests": [views.request(world, friendship) for friendship in waiting]})


async def answer_request(request: web.Request) -> web.Response:
    """POST /api/people/{person}/requests/{request} {"accept": true | false}."""
    world, me = actor(request)
    friendship_id = request.match_info["request"]
    if flag(await body(request), "accept", True):
        world.people.accept(me.id, friendship_id)
    else:
        world.people.refuse(me.id, friendship_id)
    return web.json_response(views.request(world, friendship_id))


async def scan(request: web.Request) -> web.Response:
    """POST /api/people/{person}/scan {"code", "hello"?}: join a group by its QR code, or send a friend request to a
    contact.
    """
    world, me = actor(request)
    values = await body(request)
    code = text(values, "code")
    if code.startswith(CONTACT_QR):
        friendship = world.people.ask(
            me.id, world.people.get(code.removeprefix(CONTACT_QR)).id, text(values, "hello", "")
        )
        return web.json_response({"request": friendship.id, "state": friendship.state})
    if not code:
        raise Refused("缺少二维码")
    return web.json_response({"room": world.joins.scan(me.id, code).id})


ROUTES: Final = [
    web.get("/api/people", list_people),
    web.post("/api/people", create_person),
    web.patch("/api/people/{person}", rename_person),
    web.get("/api/people/{person}/friends", list_friends),
    web.post("/api/people/{person}/friends", add_friend),
    web.delete("/api/people/{person}/friends/{other}", forget_friend),
    web.put("/api/people/{person}/friends/{other}/alias", set_alias),
    web.get("/api/people/{person}/requests", list_requests),
    web.post("/api/people/{person}/requests/{request}", answer_request),
    web.post("/api/people/{person}/scan", scan),
]
