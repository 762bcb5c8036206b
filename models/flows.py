"""Tables of flow runs and of the callbacks they wait for."""

from __future__ import annotations

import json
import time
import uuid
from enum import StrEnum
from typing import Any

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel


class RunState(StrEnum):
    """States of a flow run."""

    ASKING = "asking"  # waits for the person's next message
    CALLING = "calling"  # a business system is being called
    WAITING = "waiting"  # waits for a callback of a business system
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN_STATES = (RunState.ASKING, RunState.CALLING, RunState.WAITING)
DISCARDED = "{}"  # replaces the collected values when a run ends


class FlowRun(SQLModel, table=True):
    """One person's run of a flow. It keeps a copy of the flow, because the config may change during the run."""

    id: int | None = Field(default=None, primary_key=True)
    key: str = Field(default_factory=lambda: uuid.uuid4().hex, unique=True)  # prefix of its idempotency keys
    account: str
    person: str = Field(index=True)
    flow: str
    spec: str  # the flow as JSON
    step: int = 0
    question: int = 0  # index within a step that asks several questions
    state: str = Field(default=RunState.ASKING, index=True)
    # the values collected so far, as ASCII JSON
    collected: str = Field(default=DISCARDED, sa_column_kwargs={"name": "brought"})
    error: str = ""
    deadline: float | None = None
    open_key: str | None = Field(default=None, unique=True)  # account and person while it is open: one at a time
    # idempotency key of its first call, if an earlier run made that call and got no response
    call_key: str = Field(default="", sa_column_kwargs={"server_default": ""})
    retry_until: float | None = Field(default=None, index=True)  # of a failed run: it can be retried until then
    started_at: float = Field(default_factory=time.time, index=True)
    changed_at: float = Field(default_factory=time.time)

    @property
    def values(self) -> dict[str, Any]:
        """The values collected so far, by name."""
        return dict(json.loads(self.collected))

    def set_value(self, name: str, value: Any) -> None:
        """Store a collected value."""
        self.collected = json.dumps({**self.values, name: value})


class FlowCallback(SQLModel, table=True):
    """The callback URL of one waiting step, and the body received."""

    __table_args__ = (UniqueConstraint("run_id", "step"),)

    id: int | None = Field(default=None, primary_key=True)
    secret: str = Field(unique=True)
    run_id: int = Field(foreign_key="flowrun.id")
    step: int
    body: str | None = None  # ASCII JSON; the first body received is kept
    received_at: float | None = None
