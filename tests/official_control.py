"""Client of the official gateway's control port, by which tests act as WeChat's people (tests/gateway/control.mjs)."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp

from tests.waiting import SECONDS

Json = dict[str, Any]
COMMAND_SECONDS = 120.0


class ControlError(Exception):
    """The control port rejected a command."""


class Control:
    """Control of a running gateway.

    Every method that causes an event takes `emit=False` (no event), `times` (number of events) and `delay`
    (milliseconds before the event).
    """

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    def _open(self, port: int) -> None:
        self._session = aiohttp.ClientSession(
            f"http://127.0.0.1:{port}",
            connector=aiohttp.TCPConnector(force_close=True),  # the process may have been suspended or killed
            timeout=aiohttp.ClientTimeout(total=COMMAND_SECONDS),
        )

    async def _close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def do(self, command: str, **arguments: Any) -> Any:
        """Send a command of tests/gateway/control.mjs; raise ControlError if it is rejected."""
        assert self._session is not None, "the gateway does not run"
        async with self._session.post("/", json={"do": command, **arguments}) as response:
            answer = await response.json()
        if response.status != 200:
            raise ControlError(f"{command}: {answer['error']}")
        return answer["result"]

    async def status(self) -> Json:
        """Return self (the account's id), logged_in, and connected (a client holds the event stream)."""
        status: Json = await self.do("status")
        return status

    async def wait_connected(self, seconds: float = SECONDS) -> None:
        """Wait until a client holds the event stream."""
        await asyncio.wait_for(self.do("wait_connected"), seconds)

    async def login(self) -> None:
        """Log the account in (a gateway logs in at its start)."""
        await self.do("login")

    async def logout(self, reason: str = "退出登录") -> None:
        """Log the account out, as by the phone."""
        await self.do("logout", reason=reason)

    async def set(self, **settings: Any) -> None:
        """Change settings: direct_add_limit (40), capacity (500), and switches that are on by default.

        echo: the account's own messages come back as events; list_strangers: ContactList names non-friends too;
        auto_login: the account logs in at the start; dirty_events: the gateway says what is stale; pictures:
        MessageImage brings a message's picture, else a stand-in (a QR code). short_lists (0): so many readings of a
        group's members bring nobody. announcements: they can be read back. names ("plain"): how names of groups are
        given back: escaped, emoji_words, no_emoji, trimmed, cut.
        """
        await self.do("set", **settings)

    async def contact(self, id: str, name: str | None = None, **fields: Any) -> Json:
        """Add or change a contact, by default a friend; fields: alias, weixin, friend, type, phone."""
        named = {} if name is None else {"name": name}
        row: Json = await self.do("contact", id=id, **named, **fields)
        return row

    async def friend_request(self, contact: str, hello: str = "", **how: Any) -> str:
        """Send a friend request to the account; return the friendship's id."""
        row = await self.do("friend_request", contact=contact, hello=hello, **how)
        return str(row["id"])

    async def befriend(self, contact: str, **how: Any) -> None:
        """Make a person a friend, as if they accepted the account's request."""
        await self.do("befriend", contact=contact, **how)

    async def unfriend(self, contact: str) -> None:
        """Make a person delete the account, which learns of it only when it writes to them."""
        await self.do("unfriend", contact=contact)

    async def room(self, id: str, topic: str | None = None, members: list[str] | None = None, **fields: Any) -> Json:
        """Add or change a group without events; the id ends with @chatroom.

        `members` include the account (its id is in `status`); fields: owner, confirm, capacity, aliases, announce.
        """
        given = {key: value for key, value in (("topic", topic), ("members", members)) if value is not None}
        row: Json = await self.do("room", id=id, **given, **fields)
        return row

    async def rooms(self) -> list[Json]:
        """Return all groups, with keys id, topic, ownerId, memberIdList, announce, confirm."""
        return await self.table("rooms")

    async def join(self, room: str, contact: str, *, inviter: str | None = None, **how: Any) -> None:
        """Make a person join a group, invited by `inviter` (default: the owner)."""
        await self.do("join", room=room, contact=contact, **({} if inviter is None else {"inviter": inviter}), **how)

    async def leave(self, room: str, contact: str, *, by: str | None = None, **how: Any) -> None:
        """Make a person (or the account) leave a group, or be removed by `by`."""
        await self.do("leave", room=room, contact=contact, **({} if by is None else {"by": by}), **how)

    async def tap(self, room: str, contact: str, **how: Any) -> None:
        """Accept a person's newest invitation to the group; raise ControlError if there is none."""
        await self.do("tap", room=room, contact=contact, **how)

    async def topic(self, room: str, topic: str, by: str, **how: Any) -> None:
        """Rename the group as a person."""
        await self.do("topic", room=room, topic=topic, by=by, **how)

    async def invite_bot(self, room: str, inviter: str, **how: Any) -> str:
        """Invite the account to a group; return the invitation's id."""
        row = await self.do("invite_bot", room=room, inviter=inviter, **how)
        return str(row["id"])

    async def table(self, name: str) -> list[Json]:
        """Return rows of contacts, rooms, messages, friendships, invitations, room_invitations or tags."""
        rows: list[Json] = await self.do("get", table=name)
        return rows

    async def wait(self, table: str, count: int = 1, seconds: float = SECONDS, **match: Any) -> list[Json]:
        """Wait until a table has `count` rows with these values, e.g. wait("invitations", contactId="wxid_1")."""
        rows: list[Json] = await asyncio.wait_for(self.do("wait", table=table, count=count, match=match), seconds)
        return rows

    async def say(self, sender: str, text: str = "", *, room: str | None = None, **what: Any) -> str:
        """Send a message to the account or in a group; return its id.

        `what`: kind (text, image, file, card, url, mini_program, …), mentions (ids), file ({"name", and one of
        "base64", "url", "buffer", "path", "stream", "qrcode"}), image (what MessageImage returns, if not the file),
        url, mini, card, location, at (ms), id; emit, times, delay.
        """
        where = {} if room is None else {"room": room}
        row = await self.do("say", **{"from": sender}, text=text, **where, **what)
        return str(row["id"])

    async def recall(self, message: str, **how: Any) -> str:
        """Recall a message; return the id of the recall message (kind recalled, text: the id)."""
        row = await self.do("recall", message=message, **how)
        return str(row["id"])

    async def setup(self, contacts: int = 0, groups: int = 0, members: int = 10) -> None:
        """Create friends c0, c1, … (联系人0, …) and groups r0@chatroom, … (群0, …) without events."""
        await self.do("setup", contacts=contacts, groups=groups, members=members)

    async def burst(self, count: int, *, room: str | None = None, senders: list[str] | None = None) -> list[str]:
        """Send messages as fast as the stream allows (text 「消息 N」); return their ids."""
        chosen = {key: value for key, value in (("room", room), ("from", senders)) if value is not None}
        ids: list[str] = await self.do("burst", count=count, **chosen)
        return ids

    async def sent(self, conversation: str | None = None) -> list[Json]:
        """Return the messages sent by the account, in order.

        Keys: id, kind, conversation, text, mentions, delivered (False: not a friend), at (ms); files have name, size,
        sha256 or url; others card, url, mini, forwarded, recalled.
        """
        return await self.wait_sent(0, conversation)

    async def wait_sent(self, count: int, conversation: str | None = None, seconds: float = SECONDS) -> list[Json]:
        """Wait until the account has sent `count` messages (to a conversation); return all of them."""
        where = {} if conversation is None else {"conversation": conversation}
        rows: list[Json] = await asyncio.wait_for(self.do("sent", count=count, **where), seconds)
        return rows

    async def calls(self, method: str | None = None) -> list[Json]:
        """Return the calls since the gateway's start: method (e.g. roomCreate), args, at (ms)."""
        return await self.wait_calls(method, 0)

    async def wait_calls(self, method: str | None = None, count: int = 1, seconds: float = SECONDS) -> list[Json]:
        """Wait for `count` calls (of a method), finished or not; return all of them."""
        named = {} if method is None else {"method": method}
        rows: list[Json] = await asyncio.wait_for(self.do("calls", count=count, **named), seconds)
        return rows

    async def fault(self, method: str, mode: str, **rule: Any) -> None:
        """Inject a fault into calls of a method (RoomAdd, MessageSendText, …): throw, hang, lose, fail, late, ignore.

        `rule`: text and code (gRPC status) for throw and fail, ms for late, times (None: all), skip (successful calls
        before).
        """
        await self.do("fault", method=method, mode=mode, **rule)

    async def clear_faults(self, method: str | None = None) -> None:
        """Remove all faults; hanging calls continue to hang."""
        await self.do("clear_faults", **({} if method is None else {"method": method}))

    async def emit_raw(self, type: str | int, payload: Any = None, *, text: str | None = None, **how: Any) -> None:
        """Write a raw event to the stream: any type, any JSON value or invalid JSON as payload."""
        body = {"payload": payload} if text is None else {"text": text}
        await self.do("raw", type=type, **body, **how)

    async def emit(self, event: str, payload: Any, **how: Any) -> None:
        """Make the puppet emit an event (scan, error, dirty, …)."""
        await self.do("emit", event=event, payload=payload, **how)

    async def end_stream(self) -> None:
        """End the client's event stream normally."""
        await self.do("end_stream")
