"""Mutants are put into modules that are already imported."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from benchmarks.mutation.mutants import mutants_of
from benchmarks.mutation.replacing import called_at_import, replace

SOURCE = """
import secrets

def _squares():
    return [number * number for number in range(3)]

squares = _squares()
size = 3
token = secrets.token_hex(8)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    made = ModuleType("sample_of_mutants")
    made.__file__ = str(tmp_path / "sample_of_mutants.py")
    exec(compile(SOURCE, made.__file__, "exec"), vars(made))
    monkeypatch.setitem(sys.modules, made.__name__, made)
    return made


def test_constant_is_replaced_unless_it_differs_after_each_import(module: ModuleType) -> None:
    first = module.token
    assert replace(module, SOURCE, SOURCE.replace("size = 3", "size = 4"))
    assert (module.size, module.token) == (4, first)
    assert not replace(module, SOURCE, SOURCE.replace("token_hex(8)", "token_hex(9)")), "it cannot be told apart"
    assert module.token == first


def test_function_that_runs_at_the_import_changes_its_constant(module: ModuleType) -> None:
    assert called_at_import(SOURCE) == {"_squares": {"squares"}}
    assert replace(module, SOURCE, SOURCE.replace("number * number", "number + number"))
    assert module.squares == module._squares() == [0, 2, 4]


def test_nothing_of_a_protocol_is_changed() -> None:
    body = ":\n    def read(self, fresh: bool = False) -> int: ...\n"
    assert [mutant.operator for mutant in mutants_of(f"class Reader(Base){body}")] == ["ReplaceFalseWithTrue"]
    assert mutants_of(f"class Reader(Protocol){body}") == []
