"""Waiting for a PostgreSQL server that is away."""

from __future__ import annotations

import time

from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from models.db import is_away, parse, with_keepalives


def wait_until_reachable(url: str, pause: float) -> None:
    """Try every `pause` seconds until the server accepts connections and writes, or fails for another reason."""
    parsed = parse(url)
    engine = create_engine(parsed, poolclass=NullPool, connect_args=with_keepalives(parsed), hide_parameters=True)
    while True:
        time.sleep(pause)
        try:
            with engine.connect() as connection:
                if not connection.scalar(text("SELECT pg_is_in_recovery()")):
                    return
        except DBAPIError as error:
            if not is_away(error):
                return
