"""Tries mutants: one process imports and collects the tests once and forks for each mutant.

Only tests that run the changed line are run, those that killed most mutants of the module before first. Before that the
tests must pass with an unchanged copy of the module; afterwards each test that killed must pass without a change.
"""

from __future__ import annotations

import ast
import json
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from benchmarks.mutation.lines import Lines, LineTracer
from benchmarks.mutation.mutants import Mutant
from benchmarks.mutation.processes import KILLED, NOT_APPLICABLE, SURVIVED, TIMED_OUT, UNCOVERED, run_forked
from benchmarks.mutation.replacing import called_at_import, renew, replace
from tests.databases import POSTGRES, make_sqlite, running_postgres

BUDGET: Final = 15.0  # seconds of tests per mutant, by their cost without a change
WAITING: Final = 0.25  # share of a measured time that is certainly the test's; other processes may have caused the rest
LEAST_TIMEOUT: Final = 20.0  # seconds
LIMITS: Final = ("TimeoutError", "did not come true")  # in the report of a test that waited in vain


@dataclass(slots=True)
class Work:
    """A module, its mutants, and the test files that are asked."""

    path: Path
    name: str  # as it is imported
    source: str
    mutants: list[Mutant]
    tests: frozenset[Path]


@dataclass(slots=True)
class _Measured:
    """A test without a change."""

    item: pytest.Item
    seconds: float
    cost: float  # seconds on a machine without other work, about
    lines: Lines
    place: int = 0  # among the cases of one test function


@dataclass(eq=False)
class Trials:
    """The pytest plugin: instead of running the tests it tries the mutants.

    `report(work, mutant, code, test)` is called for each; `doubt(work, test)` for a test that killed but fails without
    a change as well; `ended(work)` at the end of its trials.
    """

    works: Sequence[Work]
    report: Callable[[Work, Mutant, int, str], None]
    doubt: Callable[[Work, str], None]
    ended: Callable[[Work], None]
    broken: str = ""  # the test that fails without a change
    _failed: str = ""
    _waited: bool = False  # the failed test waited in vain
    _tests: list[_Measured] = field(default_factory=list)

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember a failure."""
        if report.failed and not self._failed:
            self._failed = f"{report.nodeid} ({report.when})"
            crash = getattr(report.longrepr, "reprcrash", None)  # the error alone, without the source around it
            self._waited = any(limit in (crash.message if crash else report.longreprtext) for limit in LIMITS)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Measure the tests, then try the mutants."""
        if session.testsfailed:
            self.broken = "collection"
            return True
        with tempfile.TemporaryDirectory() as folder:
            make_sqlite(Path(folder) / "empty.db")  # kept in memory, for all children
        with ExitStack() as stack:
            if any(item.get_closest_marker("postgres") for item in session.items):
                os.environ[POSTGRES] = stack.enter_context(running_postgres())
            self._try_all(session)
        return True

    def _try_all(self, session: pytest.Session) -> None:
        _, code, answer = next(run_forked([lambda: self._measure(session)], 3600))
        if code != SURVIVED:
            self.broken = answer or f"ended with {code}"
            return
        items = {item.nodeid: item for item in session.items}
        cases: Counter[str] = Counter()
        for test, seconds, cost, lines in json.loads(answer):
            ran = {file: set(found) for file, found in lines.items()}
            function = test.partition("[")[0]
            self._tests.append(_Measured(items[test], seconds, cost, ran, cases[function]))
            cases[function] += 1
        for work in self.works:
            if self._passes_with_copy(work):
                self._try(work)
            self.ended(work)

    # ---- in a child: without a change ----

    def _measure(self, session: pytest.Session) -> tuple[int, str]:
        tracer = LineTracer([str(work.path) for work in self.works])
        tracer.start()
        found = []
        for item, following in zip(session.items, [*session.items[1:], None], strict=True):
            began, cpu = time.monotonic(), time.process_time()
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self._failed:
                return KILLED, self._failed
            lines = {file: sorted(numbers) for file, numbers in tracer.take().items()}
            seconds = time.monotonic() - began
            found.append((item.nodeid, seconds, max(time.process_time() - cpu, WAITING * seconds), lines))
        tracer.stop()
        return SURVIVED, json.dumps(found)

    # ---- controls ----

    def _passes_with_copy(self, work: Work) -> bool:
        """Whether the tests pass in a fork with an unchanged copy of the module, in the order of the trials."""
        own = self._covering(work, set())
        tests = _ordered([test for test in own if test.lines.get(str(work.path))] or own, Counter())
        limit = max(LEAST_TIMEOUT, 5 * sum(test.seconds for test in tests))

        def control() -> tuple[int, str]:
            why = renew(sys.modules[work.name], work.source)
            return (KILLED, why) if why else self._run(tests)

        _, code, text = next(run_forked([control], limit))
        if code != SURVIVED:
            self.doubt(work, text or f"an unchanged copy ended with {code}")
        return code == SURVIVED

    def _check_killers(self, work: Work, names: Collection[str]) -> None:
        """Run each test that killed alone and without a change, again if it fails: the machine may be busy."""
        killers = [test for test in self._tests if test.item.nodeid in names]
        for limit in (LEAST_TIMEOUT, 3 * LEAST_TIMEOUT):
            limits = [max(limit, 5 * test.seconds) for test in killers]
            ended = run_forked([partial(self._run, [test]) for test in killers], limits)
            failed = {place for place, code, _ in ended if code != SURVIVED}
            killers = [test for place, test in enumerate(killers) if place in failed]
        for test in killers:
            self.doubt(work, test.item.nodeid)

    # ---- mutants ----

    def _try(self, work: Work) -> None:
        kills: Counter[str] = Counter()
        tried: list[tuple[Mutant, list[_Measured]]] = []
        spans = _Spans(work.source)
        for mutant in work.mutants:
            tests = self._covering(work, spans.lines_of(mutant.line))
            if tests:
                tried.append((mutant, _within_budget(_ordered(tests, kills))))
            else:
                self.report(work, mutant, UNCOVERED, "")
        limits = [max(LEAST_TIMEOUT, 5 * sum(test.seconds for test in tests)) for _, tests in tried]
        # Ordered again when they begin: by then it is known which tests kill.
        jobs = [
            (lambda m=mutant, t=tests, s=limit: self._trial(work, m, _ordered(t, kills), s))
            for (mutant, tests), limit in zip(tried, limits, strict=True)
        ]
        for place, code, test in run_forked(jobs, limits):
            if code == KILLED:
                kills[test.partition(" (")[0]] += 1
            self.report(work, tried[place][0], code, test)
        self._check_killers(work, kills.keys())

    def _covering(self, work: Work, lines: set[int]) -> list[_Measured]:
        """The tests that run one of some lines; all tests of the module if it is not known which lines matter."""
        own = [test for test in self._tests if test.item.path in work.tests]
        return [test for test in own if lines & test.lines.get(str(work.path), set())] if lines else own

    # ---- in a child: with a change ----

    def _trial(self, work: Work, mutant: Mutant, tests: Sequence[_Measured], limit: float) -> tuple[int, str]:
        try:
            if not replace(sys.modules[work.name], work.source, mutant.source):
                return NOT_APPLICABLE, ""
        except Exception as error:  # noqa: BLE001 - the changed module cannot be imported
            return KILLED, f"import ({type(error).__name__})"
        cpu = int(resource.getrusage(resource.RUSAGE_SELF).ru_utime + limit) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
        return self._run(tests)

    def _run(self, tests: Sequence[_Measured]) -> tuple[int, str]:
        following: list[pytest.Item | None] = [*(test.item for test in tests[1:]), None]
        for item, next_item in zip((test.item for test in tests), following, strict=False):  # or there are no tests
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=next_item)
            if self._failed:
                return TIMED_OUT if self._waited else KILLED, self._failed
        return SURVIVED, ""


def _ordered(tests: Sequence[_Measured], kills: Counter[str]) -> list[_Measured]:
    """Those that killed before, then a case of each function before further cases, the quick ones first."""
    return sorted(tests, key=lambda test: (-kills[test.item.nodeid], test.place, test.cost))


def _within_budget(tests: Sequence[_Measured]) -> list[_Measured]:
    spent = 0.0
    chosen: list[_Measured] = []
    for test in tests:
        if not chosen or spent + test.cost <= BUDGET:
            spent += test.cost
            chosen.append(test)
    return chosen


class _Spans:
    """Where the statements and functions of a module are."""

    def __init__(self, source: str) -> None:
        self._nodes = list(ast.walk(ast.parse(source)))
        self._statements = list(_statements(self._nodes))
        self._bodies = [
            (node.body[0].lineno, node.end_lineno or 0)
            for node in self._nodes
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ]
        computed = called_at_import(source)
        self._computing = [
            (node.body[0].lineno, node.end_lineno or 0, computed[node.name])
            for node in self._nodes
            if isinstance(node, ast.FunctionDef) and node.name in computed
        ]

    def lines_of(self, line: int) -> set[int]:
        """The lines that run where a line matters: of the smallest statement that holds it, or of the users of a
        constant; none if it is not known.
        """
        if not self._in_function(line):
            return self._uses_of(self._constants(line))
        constants = {name for first, last, names in self._computing if first <= line <= last for name in names}
        return self._statement(line) | self._uses_of(constants)

    def _in_function(self, line: int) -> bool:
        return any(first <= line <= last for first, last in self._bodies)

    def _statement(self, line: int) -> set[int]:
        holding = [(first, last) for first, last in self._statements if first <= line <= last]
        first, last = min(holding, key=lambda span: span[1] - span[0], default=(line, line))
        return set(range(first, last + 1))

    def _constants(self, line: int) -> set[str]:
        """The names that are given a value at a line."""
        return {
            node.id
            for node in self._nodes
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.lineno in self._statement(line)
        }

    def _uses_of(self, names: set[str]) -> set[int]:
        used = [n.lineno for n in self._nodes if isinstance(n, ast.Name) and n.id in names]
        return {each for line in used if self._in_function(line) for each in self._statement(line)}


def _statements(nodes: Sequence[ast.AST]) -> Iterator[tuple[int, int]]:
    """First and last line of each statement; of a compound one, of its head."""
    for node in nodes:
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None)
            last = max(node.lineno, body[0].lineno - 1) if body else node.end_lineno or node.lineno
            yield node.lineno, last
