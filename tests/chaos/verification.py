"""Compares the bot's database with the gateway's records after the kills."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Comparison:
    """Differences; everything except `doubles` and `stored` must be empty."""

    stored: int  # events stored in the database
    not_acted_on: list[str]
    not_answered: list[str]  # stored questions without a reply
    not_sent: list[str]  # accepted messages that were not sent
    out_of_order: list[str]
    duplicates: list[str]  # topics that several rooms have
    doubles: int  # messages sent twice


def compare(database: Path, sent: list[dict[str, Any]], rooms: list[dict[str, Any]]) -> Comparison:
    """Compare the database with the gateway's tables `sent` and `rooms`."""
    with sqlite3.connect(database) as connection:
        events = connection.execute("select event_id, kind, state, handler, body from inboxevent").fetchall()
        promised = connection.execute("select id, key, body, state from outboxitem where queue like 'wx:%'").fetchall()
    connection.close()
    got = Counter((row["conversation"], row["text"]) for row in sent)
    asked = [json.loads(body) for _, kind, _, _, body in events if kind == "message" and body]
    questions = [e for e in asked if e["text"].startswith("问")]
    answers = [(e["contact_id"], f"答{e['text'][1:]}") for e in questions]
    texts = {(key, json.loads(body)["text"]): id for id, key, body, _ in promised if json.loads(body)["type"] == "text"}
    return Comparison(
        stored=len(events),
        not_acted_on=[f"{id} {kind} {state} {by}" for id, kind, state, by, _ in events if state != "done"],
        not_answered=[f"{to} {text}" for to, text in answers if not got[to, text]],
        not_sent=[f"{id} {state}" for id, _, _, state in promised if state != "sent"]
        + [f"{to} {text}" for to, text in texts if "@" not in text and not _was_received(got, to, text)],
        out_of_order=_out_of_order(sent, texts),
        duplicates=[topic for topic, times in Counter(r["topic"] for r in rooms).items() if times > 1],
        doubles=sum(times - 1 for (_, text), times in got.items() if text[0] in "答知"),
    )


def _was_received(got: Counter[tuple[str, str]], to: str, text: str) -> bool:
    # a mention may precede the text
    return got[to, text] > 0 or any(where == to and said.endswith(text) for where, said in got)


def _out_of_order(sent: list[dict[str, Any]], texts: dict[tuple[str, str], int]) -> list[str]:
    """Return first deliveries that came after one queued later in the same conversation."""
    latest: dict[str, int] = {}
    seen: set[tuple[str, str]] = set()
    wrong = []
    for row in sent:
        message = (row["conversation"], row["text"])
        promise = texts.get(message)
        if promise is None or message in seen:
            continue
        seen.add(message)
        if promise < latest.get(row["conversation"], 0):
            wrong.append(f"{message[0]} {message[1]}")
        latest[row["conversation"]] = max(promise, latest.get(row["conversation"], 0))
    return wrong
