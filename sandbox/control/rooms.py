"""Control API: groups, acting as the person in the path."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from sandbox.control import views
from sandbox.control.parsing import actor, body, flag, text, texts
from sandbox.world.model import Refused


async def create_room(request: web.Request) -> web.Response:
    """POST /api/people/{person}/rooms {"members": [id, …], "topic"?}: create a group owned by the person."""
    world, me = actor(request)
    values = await body(request)
    room = world.rooms.create(me.id, texts(values, "members"), text(values, "topic", ""))
    return web.json_response(views.room(world, room, me.id), status=201)


async def change_room(request: web.Request) -> web.Response:
    """PATCH /api/people/{person}/rooms/{room} {"topic"?, "announcement"?, "confirm"?, "alias"?, "admins"?, "owner"?}.

    The changes are applied in this order; the first that is rejected ends the request.
    """
    world, me = actor(request)
    room = world.rooms.seen_by(me.id, request.match_info["room"])
    values = await body(request)
    if "topic" in values:
        world.rooms.set_topic(me.id, room.id, text(values, "topic"))
    if "announcement" in values:
        world.rooms.announce(me.id, room.id, text(values, "announcement"))
    if "confirm" in values:
        world.rooms.set_confirm(me.id, room.id, flag(values, "confirm"))
    if "alias" in values:
        world.rooms.set_alias(me.id, room.id, text(values, "alias"))
    if "admins" in values:
        world.rooms.set_admins(me.id, room.id, texts(values, "admins"))
    if "owner" in values:
        world.rooms.transfer(me.id, room.id, text(values, "owner"))
    return web.json_response(views.room(world, room, me.id))


async def add_members(request: web.Request) -> web.Response:
    """POST /api/people/{person}/rooms/{room}/members {"members": [id, …], "card"?}: add or invite friends."""
    world, me = actor(request)
    values = await body(request)
    members = texts(values, "members")
    if not members:
        raise Refused("缺少参数：members")
    room_id = request.match_info["room"]
    cards = [world.joins.add(me.id, room_id, person_id, card=flag(values, "card", False)) for person_id in members]
    invited = [card.id for card in cards if card is not None]
    return web.json_response({"invitations": invited, "room": views.room(world, world.rooms.get(room_id), me.id)})


async def remove_member(request: web.Request) -> web.Response:
    """DELETE /api/people/{person}/rooms/{room}/members/{who}: remove a member."""
    world, me = actor(request)
    world.rooms.remove(me.id, request.match_info["room"], request.match_info["who"])
    return web.json_response({})


async def leave_room(request: web.Request) -> web.Response:
    """POST /api/people/{person}/rooms/{room}/leave: leave the group."""
    world, me = actor(request)
    world.rooms.leave(me.id, request.match_info["room"])
    return web.json_response({})


async def make_qr_code(request: web.Request) -> web.Response:
    """POST /api/people/{person}/rooms/{room}/qrcode: create a QR code, valid for seven days."""
    world, me = actor(request)
    code = world.joins.qr_code(me.id, request.match_info["room"])
    return web.json_response({"code": code, "expires": world.state.qr_codes[code].expires}, status=201)


async def list_invitations(request: web.Request) -> web.Response:
    """GET /api/people/{person}/invitations: list open invitations."""
    world, me = actor(request)
    cards = [card for card in world.state.invitations.values() if card.invitee == me.id and card.state == "open"]
    open_invitations = [
        {"id": card.id, "room": card.room_id, "topic": world.rooms.get(card.room_id).topic, "inviter": card.inviter}
        for card in cards
    ]
    return web.json_response({"invitations": open_invitations})


async def tap_invitation(request: web.Request) -> web.Response:
    """POST /api/people/{person}/invitations/{invitation}: accept; the state is joined or waiting_owner."""
    world, me = actor(request)
    inside = world.joins.tap(me.id, request.match_info["invitation"])
    return web.json_response({"state": "joined" if inside else "waiting_owner"})


async def list_confirmations(request: web.Request) -> web.Response:
    """GET /api/people/{person}/confirmations: list joins that this owner or admin has to confirm."""
    world, me = actor(request)
    waiting = [
        {
            "id": confirmation.id,
            "room": confirmation.room_id,
            "inviter": confirmation.inviter,
            "invitee": confirmation.invitee,
            "at": confirmation.at,
        }
        for confirmation in world.state.confirmations.values()
        if confirmation.state == "open" and world.rooms.get(confirmation.room_id).manages(me.id)
    ]
    return web.json_response({"confirmations": waiting})


async def decide(request: web.Request) -> web.Response:
    """POST /api/people/{person}/confirmations/{confirmation} {"approve": true | false}."""
    world, me = actor(request)
    confirmation_id = request.match_info["confirmation"]
    world.joins.decide(me.id, confirmation_id, flag(await body(request), "approve", True))
    return web.json_response({"state": world.state.confirmations[confirmation_id].state})


ROUTES: Final = [
    web.post("/api/people/{person}/rooms", create_room),
    web.patch("/api/people/{person}/rooms/{room}", change_room),
    web.post("/api/people/{person}/rooms/{room}/members", add_members),
    web.delete("/api/people/{person}/rooms/{room}/members/{who}", remove_member),
    web.post("/api/people/{person}/rooms/{room}/leave", leave_room),
    web.post("/api/people/{person}/rooms/{room}/qrcode", make_qr_code),
    web.get("/api/people/{person}/invitations", list_invitations),
    web.post("/api/people/{person}/invitations/{invitation}", tap_invitation),
    web.get("/api/people/{person}/confirmations", list_confirmations),
    web.post("/api/people/{person}/confirmations/{confirmation}", decide),
]
