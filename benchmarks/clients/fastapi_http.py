"""A typical alternative: FastAPI and SQLModel on SQLite, in one uvicorn process.

Tuned: database sessions on the event loop (a thread hop costs more than it saves), and synchronous=NORMAL, so that a
commit does not wait for the disk, as wxbot's does.
"""

import sys
from typing import Annotated, Any

import uvicorn
from fastapi import Depends, FastAPI, HTTPException
from sqlalchemy import event
from sqlmodel import Field, Session, SQLModel, create_engine, select


class Member(SQLModel, table=True):
    """A member of a group."""

    id: int | None = Field(default=None, primary_key=True)
    token: str = Field(index=True)
    name: str


class Message(SQLModel, table=True):
    """A queued message."""

    id: int | None = Field(default=None, primary_key=True)
    assistant: str
    receiver: str
    text: str


class Join(SQLModel):
    """The body of 请求入群."""

    token: str
    member: str


class Send(SQLModel):
    """The body of 发消息."""

    assistant: str
    to: str
    text: str


def make_app(database: str) -> FastAPI:
    """Create the app with the same two operations: a lookup and an insert."""
    engine = create_engine(f"sqlite:///{database}", connect_args={"check_same_thread": False})

    @event.listens_for(engine, "connect")
    def set_up(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")

    SQLModel.metadata.create_all(engine, tables=[SQLModel.metadata.tables[name] for name in ("member", "message")])
    with Session(engine) as session:
        session.add(Member(token="T", name="c5"))
        session.commit()

    async def a_session() -> Any:
        with Session(engine) as session:
            yield session

    app = FastAPI()

    @app.post("/wxbot/qun/membership")
    async def join(body: Join, session: Annotated[Session, Depends(a_session)]) -> dict[str, Any]:
        query = select(Member).where(Member.token == body.token, Member.name == body.member)
        if session.exec(query).first() is None:
            raise HTTPException(404)
        return {"membership_join_response": {"approved": "ok"}}

    @app.post("/wxbot/message", status_code=202)
    async def send(body: Send, session: Annotated[Session, Depends(a_session)]) -> dict[str, Any]:
        message = Message(assistant=body.assistant, receiver=body.to, text=body.text)
        session.add(message)
        session.commit()
        return {"message": {"id": message.id, "state": "queued"}}

    return app


if __name__ == "__main__":
    uvicorn.run(make_app(sys.argv[2]), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False)
