"""Conversations that call business systems: where each stands, and the results that were called back."""

from __future__ import annotations

import json
import time
import uuid
from enum import StrEnum
from typing import Any

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel


class RunState(StrEnum):
    """Where a conversation stands."""

    ASKING = "asking"  # for the person's next message
    CALLING = "calling"  # a business system is being called
    WAITING = "waiting"  # for a business system to call back
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN_STATES = (RunState.ASKING, RunState.CALLING, RunState.WAITING)
NO_MORE = "{}"  # what is left of what people and systems brought, once a run is over


class FlowRun(SQLModel, table=True):
    """One person going through one flow. It keeps the flow as it was when it began: config may change meanwhile."""

    id: int | None = Field(default=None, primary_key=True)
    key: str = Field(default_factory=lambda: uuid.uuid4().hex, unique=True)  # what its idempotency keys begin with
    account: str
    person: str = Field(index=True)
    flow: str
    spec: str  # the flow as JSON
    step: int = 0
    question: int = 0  # of the step, when it asks several
    state: str = Field(default=RunState.ASKING, index=True)
    brought: str = NO_MORE  # JSON, ASCII: what the steps so far brought, by name
    error: str = ""
    deadline: float | None = None
    open_key: str | None = Field(default=None, unique=True)  # account and person while it is open: one at a time
    # idempotency key of its first call, when an earlier run made that call and had no answer
    call_key: str = Field(default="", sa_column_kwargs={"server_default": ""})
    retry_until: float | None = Field(default=None, index=True)  # of a failed run: it may be taken up again until then
    started_at: float = Field(default_factory=time.time, index=True)
    changed_at: float = Field(default_factory=time.time)

    @property
    def values(self) -> dict[str, Any]:
        """What the steps so far brought."""
        return dict(json.loads(self.brought))

    def bring(self, name: str, value: Any) -> None:
        """Keep what a step brought."""
        self.brought = json.dumps({**self.values, name: value})


class FlowCallback(SQLModel, table=True):
    """The address a business system calls back at for one waiting step, and what it brought."""

    __table_args__ = (UniqueConstraint("run_id", "step"),)

    id: int | None = Field(default=None, primary_key=True)
    secret: str = Field(unique=True)
    run_id: int = Field(foreign_key="flowrun.id")
    step: int
    body: str | None = None  # JSON, ASCII; the first one counts
    received_at: float | None = None
