"""Persistence of a world: a JSON file, and a directory of media files beside it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Final

from sandbox.world import journal, model
from sandbox.world.model import ChatMessage, Kind, MediaFile, Member, Person, WorldRoom, WorldState

FORMAT: Final = 1
MAX_SAVED_AT_ONCE: Final = 600  # people and messages, up to which a world is saved at each change
_WRITE_LOCK: Final = threading.Lock()
log = logging.getLogger(__name__)
PLAIN: Final = {
    "accounts": model.Account,
    "friendships": model.Friendship,
    "invitations": model.Invitation,
    "confirmations": model.Confirmation,
    "qr_codes": model.QrCode,
}


def snapshot(state: WorldState) -> dict[str, Any]:
    """Return the state as JSON values, without the media data."""
    data: dict[str, Any] = {"format": FORMAT, "last_id": state.last_id}
    for name in (*PLAIN, "people", "rooms"):
        data[name] = [_plain(record) for record in getattr(state, name).values()]
    data["messages"] = [_plain(message) for message in state.messages.values()]
    data["media"] = [{"id": media.id, "name": media.name} for media in state.media.values()]
    return data


def write(
    data: dict[str, Any], media: list[MediaFile], path: Path, is_newest: Callable[[], bool] = lambda: True
) -> None:
    """Write a snapshot atomically, if it is still the newest."""
    folder = media_folder(path)
    folder.mkdir(parents=True, exist_ok=True)
    for file in media:
        _store_media(folder, file)
    content = json.dumps(data, ensure_ascii=False).encode()
    with _WRITE_LOCK:
        if is_newest():
            _replace(path, content)


def save(state: WorldState, path: Path) -> None:
    """Write the state to `path`."""
    write(snapshot(state), list(state.media.values()), path)


def _store_media(folder: Path, media: MediaFile) -> None:
    target = folder / media.id
    if not target.exists():
        _replace(target, media.data)


def load(path: Path) -> WorldState:
    """Read the state from `path`; raise OSError if it cannot be read or is not a sandbox state."""
    data = read_json(path)
    if data.get("format") != FORMAT:
        raise OSError(f"{path} is not a sandbox state file of format {FORMAT}; delete it to start with a new world")
    state = WorldState(last_id=data["last_id"])
    for name, made_of in PLAIN.items():
        key = {"accounts": "name", "qr_codes": "code"}.get(name, "id")
        getattr(state, name).update({row[key]: made_of(**row) for row in data[name]})
    state.people = {row["id"]: Person(**{**row, "friends": set(row["friends"])}) for row in data["people"]}
    state.rooms = {row["id"]: _room(row) for row in data["rooms"]}
    state.messages = {row["seq"]: _message(row) for row in data["messages"]}
    folder = media_folder(path)
    state.media = {
        row["id"]: MediaFile(row["id"], row["name"], (folder / row["id"]).read_bytes()) for row in data["media"]
    }
    for row in journal.read(path):
        message = _message(row["message"])
        state.messages.setdefault(message.seq, message)
        state.last_id = max(state.last_id, message.seq)
        if (named := row["media"]) is not None and named["id"] not in state.media:
            data_of = (folder / named["id"]).read_bytes()
            state.media[named["id"]] = MediaFile(named["id"], named["name"], data_of)
    return state


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object from a file; raise OSError."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        data = None
    if not isinstance(data, dict):
        raise OSError(f"{path} is damaged; delete it to start with a new world")
    return data


def media_folder(path: Path) -> Path:
    """Return the directory of the media files of a state file."""
    return path.with_name(path.name + ".media")


class StateStore:
    """Saves a world after each change.

    Messages go to a journal at once; everything else at once in a small world, soon after in a large one.
    Nobody is notified of a change that a crash could lose.
    """

    def __init__(self, state: WorldState, path: Path) -> None:
        self._state = state
        self._path = path
        self._changed = asyncio.Event()
        self._stopping = asyncio.Event()
        self._saves = 0  # begun so far; one that a newer one has overtaken is dropped
        self._journal = journal.MessageJournal(path, _plain)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> Callable[[], None]:
        """Start saving; return the function to call on a change."""
        self._task = asyncio.create_task(self._run(), name="sandbox-keeper")
        return self._on_change

    def _on_change(self) -> None:
        self._changed.set()
        try:
            self._append_to_journal()
        except OSError:
            log.exception("could not save the sandbox's state; the next change tries again")

    def _append_to_journal(self) -> None:
        if not self._journal.is_open:
            save(self._state, self._path)
            self._journal.open(self._state)
            return
        folder = media_folder(self._path)
        added = self._journal.add_new(self._state, lambda media: _store_media(folder, media))
        if not added and len(self._state.messages) + len(self._state.people) < MAX_SAVED_AT_ONCE:
            self._saves += 1
            save(self._state, self._path)
            self._journal.drop()

    async def stop(self) -> None:
        """Save once more and stop."""
        self._stopping.set()
        self._changed.set()
        if self._task is not None:
            await self._task
        self._journal.close()

    async def _run(self) -> None:
        while not self._stopping.is_set():
            await self._changed.wait()
            self._changed.clear()
            began = time.monotonic()
            await self._save()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(10 * (time.monotonic() - began)):
                    await self._stopping.wait()
        await self._save()

    async def _save(self) -> None:
        data, media, size = snapshot(self._state), list(self._state.media.values()), self._journal.size
        self._saves += 1
        generation = self._saves
        try:
            await asyncio.to_thread(write, data, media, self._path, lambda: generation == self._saves)
        except OSError:
            log.exception("could not save the sandbox's state; the next change tries again")
        else:
            if generation == self._saves:
                self._journal.drop(size)


def _plain(record: Any) -> dict[str, Any]:
    """Return a dataclass as independent JSON values; sets become sorted lists. asdict is too slow for thousands of
    messages.
    """
    if isinstance(record, WorldRoom):
        return {name: _copy(value) for name, value in asdict(record).items() if name != "audience"}
    return {f.name: _copy(getattr(record, f.name)) for f in fields(record)}


def _copy(value: Any) -> Any:
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    return value.copy() if isinstance(value, (dict, list)) else value


def _room(row: dict[str, Any]) -> WorldRoom:
    members = {person_id: Member(**member) for person_id, member in row["members"].items()}
    sets = {"admins": set(row["admins"]), "former": set(row.get("former", ())), "audience": frozenset(members)}
    return WorldRoom(**{**row, **sets, "members": members})


def _message(row: dict[str, Any]) -> ChatMessage:
    return ChatMessage(**{**row, "kind": Kind(row["kind"]), "audience": frozenset(row["audience"])})


def _replace(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(data)
    temporary.replace(path)
