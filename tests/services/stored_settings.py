"""Rows of the table of settings, for tests of the storage itself."""

from __future__ import annotations

from sqlmodel import Session, select

from models.db import Store
from models.durable import Setting


def put(session: Session, key: str, value: str = "x") -> str:
    session.add(Setting(key=key, value=value))
    session.flush()
    return key


async def keys(store: Store) -> list[str]:
    return sorted(await store.read(lambda s: s.exec(select(Setting.key)).all()))
