"""Compares the database with what the gateways recorded after the kills."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

from sqlalchemy import create_engine, text

from models.db import parse
from sandbox.world.model import ChatMessage
from sandbox.world.world import World

EVENTS = text("SELECT account, kind, state, handler, body FROM inboxevent ORDER BY id")
PROMISED = text(
    "SELECT account, key, body, state, priority, error, id FROM outboxitem WHERE queue LIKE 'wx:%' ORDER BY id"
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """All lists are to be empty; `doubles` at most one for each conversation that was cut off."""

    stored: int
    not_acted_on: list[str]
    not_answered: list[str]
    not_sent: list[str]
    out_of_order: list[str]
    duplicates: list[str]
    broadcast_twice: list[str]
    doubles: int
    most_doubles: int  # of one answer


def compare(database: str, world: World, accounts: list[str], broadcasts: list[str]) -> Comparison:
    """Compare."""
    events, promised = _rows(database)
    ids = {account: world.accounts.person(account).id for account in accounts}
    said = sorted((m for m in world.state.messages.values() if m.sender in ids.values()), key=lambda m: m.seq)
    got = Counter((m.sender, m.to, m.text) for m in said)
    questions = []
    for account, kind, body in ((e[0], e[1], e[4]) for e in events):
        event = json.loads(body) if kind == "message" and body else {}
        if str(event.get("text", "")).startswith("问") and event.get("is") == "PrivateMessage":
            questions.append((ids[account], event["contact_id"], f"答{event['text'][1:]}"))
    topics = Counter(room.topic for room in world.state.rooms.values())
    return Comparison(
        stored=len(events),
        not_acted_on=[f"{a} {kind} {state}" for a, kind, state, _, _ in events if state != "done"],
        not_answered=[f"{sender} {to} {text}" for sender, to, text in questions if not got[sender, to, text]],
        not_sent=_not_sent(promised, ids, got),
        out_of_order=_out_of_order(said),
        duplicates=[topic for topic, times in topics.items() if times > 1],
        broadcast_twice=[
            f"{to} {text} {[(r.id, r.state, r.error) for r in promised if r.key == to and text in r.body]}"
            for (_, to, text), times in got.items()
            if times > 1 and text.startswith("播")
        ],
        doubles=sum(times - 1 for (_, _, text), times in got.items() if text[:1] in "答知"),
        most_doubles=max((times for (_, _, text), times in got.items() if text[:1] in "答知"), default=1),
    )


def _rows(database: str) -> tuple[list[Any], list[Any]]:
    engine = create_engine(parse(database))
    with engine.connect() as connection:
        events = connection.execute(EVENTS).all()
        promised = connection.execute(PROMISED).all()
    engine.dispose()
    return list(events), list(promised)


def _not_sent(promised: list[Any], ids: dict[str, str], got: Counter[tuple[str, str, str]]) -> list[str]:
    """Messages that are open or failed, or sent without a recipient. An interrupted broadcast is unknown."""
    missing = []
    for account, key, body, state, priority, error, _ in promised:
        text = json.loads(body).get("text", "")
        cut_off = state == "unknown" and priority == "c-broadcast"
        if state != "sent" and not cut_off:
            missing.append(f"{account} {key} {text} {state} {error}")
        elif state == "sent" and text and "@" not in text and not _was_received(got, ids[account], key, text):
            missing.append(f"{account} {key} {text} marked as sent")
    return missing


def _was_received(got: Counter[tuple[str, str, str]], sender: str, to: str, text: str) -> bool:
    return got[sender, to, text] > 0 or any(
        (by, where) == (sender, to) and said.endswith(text) for by, where, said in got
    )


def _out_of_order(said: list[ChatMessage]) -> list[str]:
    """First deliveries of an answer after the answer to a later question of the same conversation."""
    latest: defaultdict[tuple[str, str], int] = defaultdict(int)
    seen: set[tuple[str, str, str]] = set()
    wrong = []
    for message in said:
        key = (message.sender, message.to, message.text)
        if not message.text.startswith("答") or key in seen:
            continue
        seen.add(key)
        number = int(message.text[1:])
        if number < latest[key[:2]]:
            wrong.append(f"{message.sender} {message.to} {message.text}")
        latest[key[:2]] = max(number, latest[key[:2]])
    return wrong
