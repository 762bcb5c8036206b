"""The open runs in memory, so that most messages need no database read to see that they concern no flow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from models.flows import OPEN_STATES, FlowRun, RunState

Listener = Callable[[FlowRun], None]


def open_key(account: str, person: str) -> str:
    """Return the key that is unique among open runs."""
    return f"{account}/{person}"


class OpenRuns:
    """The states of open runs, and who is notified of their changes after each commit."""

    def __init__(self) -> None:
        self._states: dict[str, RunState | None] = {}  # by `open_key`; None: ended while `load` was running
        self._loaded = False
        self._listeners: list[Listener] = []

    def subscribe(self, listener: Listener) -> None:
        """Call `listener` with every run that waits, has a call to make, or has ended."""
        self._listeners.append(listener)

    def load(self, runs: Iterable[FlowRun]) -> None:
        """Add runs that were read from the database; those that have changed since then are known already."""
        states = {open_key(run.account, run.person): RunState(run.state) for run in runs} | self._states
        self._states = {key: state for key, state in states.items() if state is not None}
        self._loaded = True

    def drop(self, account: str) -> None:
        """Drop the runs of an account."""
        self._states = {key: state for key, state in self._states.items() if key.rpartition("/")[0] != account}

    def may_have(self, account: str, person: str) -> bool:
        """Whether the person may have an open run; the database has the answer."""
        return not self._loaded or open_key(account, person) in self._states

    def counts(self) -> dict[str, int]:
        """Count the open runs by state."""
        counted = Counter(self._states.values())
        return {str(state): counted[state] for state in OPEN_STATES}

    def changed(self, run: FlowRun) -> None:
        """Record the state of a run, after the commit, and notify the listeners."""
        key = open_key(run.account, run.person)
        if run.state in OPEN_STATES:
            self._states[key] = RunState(run.state)
        elif self._loaded:
            self._states.pop(key, None)
        else:
            self._states[key] = None
        for listener in self._listeners:
            listener(run)
