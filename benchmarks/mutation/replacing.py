"""Puts a mutant in the place of a module that is already imported, so that nothing has to be imported again."""

from __future__ import annotations

import ast
import functools
import gc
import re
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final

from sqlalchemy.sql import ClauseElement

NEWLOCALS: Final = 0x2  # flag of the code of functions; the body of a class does not have it
GENERATED: Final = ("__dict__", "__weakref__", "__signature__")  # members of classes that follow from others
ADDRESS: Final = re.compile(r" at 0x[0-9a-f]+")
_Place = tuple[str, int, str]  # file, first line, name


def replace(module: ModuleType, original: str, mutant: str) -> bool:
    """Change what the mutant changes, in memory; False if it changes nothing that can be replaced."""
    path = str(module.__file__)
    old, new = compile(original, path, "exec"), compile(mutant, path, "exec")
    try:
        changed = _replace_code(old, new)
        if changed.isdisjoint(called_at_import(original)):
            return bool(changed) or _replace_values(module, old, new)
        return _replace_values(module, old, new) or bool(changed)
    except ValueError:  # a function's new code has other free variables
        return False


def called_at_import(source: str) -> dict[str, set[str]]:
    """The functions that a module calls for its constants, and the names of these constants."""
    found: dict[str, set[str]] = {}
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Assign | ast.AnnAssign):
            nodes = list(ast.walk(statement))
            names = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
            for node in nodes:
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                    found.setdefault(node.func.id, set()).update(names)
    return found


def renew(module: ModuleType, source: str) -> str:
    """Put an unchanged copy in the place of a module; what differs in spite of that, or "" if nothing does.

    The tests must pass with it: otherwise they would fail with every mutant.
    """
    path = str(module.__file__)
    code, copy = compile(source, path, "exec"), compile(source, path, "exec")
    if _replace_values(module, code, copy):
        return "a constant or default has another representation each time"
    copies = {_place(function): function for function in _functions(copy)}
    for function in _users_of(copies):
        function.__code__ = copies[_place(function.__code__)]
    return ""


def _functions(code: CodeType) -> Iterator[CodeType]:
    """The outermost functions of a module and of its classes, in order."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            if constant.co_flags & NEWLOCALS:
                yield constant
            else:
                yield from _functions(constant)


def _replace_code(old: CodeType, new: CodeType) -> set[str]:
    """Replace the code of changed functions; return their names."""
    pairs = zip(_functions(old), _functions(new), strict=False)
    changed = {_place(before): after for before, after in pairs if _plain(before) != _plain(after)}
    found = _users_of(changed)
    for function in found:
        function.__code__ = changed[_place(function.__code__)]
    return {function.__qualname__ for function in found}


def _users_of(codes: Collection[_Place]) -> list[FunctionType]:
    """The functions with code from one of these positions."""
    return [
        function
        for function in gc.get_objects()
        if type(function) is FunctionType and _place(function.__code__) in codes
    ]


def _place(code: CodeType) -> _Place:
    return code.co_filename, code.co_firstlineno, code.co_qualname


def _plain(code: CodeType) -> object:
    """A code without its line numbers, to compare."""
    constants = tuple(_plain(part) if isinstance(part, CodeType) else (type(part), part) for part in code.co_consts)
    return code.co_code, constants, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars


def _replace_values(module: ModuleType, old: CodeType, new: CodeType) -> bool:
    """Replace constants, defaults and decorated members: all that has its value since the import.

    What looks different after each import (it shows an address, for instance) is left as it is.
    """
    before, again, after = (_imported_anew(module, code) for code in (old, old, new))
    done = False
    for name, value in after.items():
        current = vars(module).get(name)
        if isinstance(value, type) and value.__module__ == module.__name__:
            done = _replace_members(current, before[name], again[name], value) or done
        elif isinstance(value, FunctionType):
            done = _replace_defaults(current, value) or done
        elif name != "__builtins__" and _shown(before.get(name)) == _shown(again.get(name)) != _shown(value):
            for user in list(sys.modules.values()):
                if name in getattr(user, "__dict__", ()) and vars(user)[name] is current and _has(user, module, name):
                    setattr(user, name, value)
                    done = True
    return done


def _imported_anew(module: ModuleType, code: CodeType) -> dict[str, Any]:
    """The names of a module after its code has run again."""
    names = dict(vars(module))
    exec(code, names)
    return names


def _has(user: ModuleType, module: ModuleType, name: str) -> bool:
    """Whether a module has the name from the changed one: equal numbers of tests are often the same object."""
    return user is module or not user.__name__.startswith("tests.") or name in _imported(user)


@functools.cache
def _imported(user: ModuleType) -> set[str]:
    nodes = ast.walk(ast.parse(Path(str(user.__file__)).read_text(encoding="utf-8")))
    return {alias.asname or alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names}


def _replace_members(current: Any, before: type, again: type, after: type) -> bool:
    done = False
    for name, value in vars(after).items():
        if name in GENERATED or name.startswith("__pydantic_"):  # the validator would make objects of another class
            continue
        own, shown = vars(current).get(name), _shown(vars(before).get(name))
        if isinstance(own, FunctionType) and isinstance(value, FunctionType):
            done = _replace_defaults(own, value) or done
        elif _shown(vars(again).get(name)) == shown != _shown(value):
            setattr(current, name, value)
            done = True
    return done


def _replace_defaults(current: Any, after: FunctionType) -> bool:
    if not isinstance(current, FunctionType):
        return False
    if _shown((current.__defaults__, current.__kwdefaults__)) == _shown((after.__defaults__, after.__kwdefaults__)):
        return False
    current.__defaults__, current.__kwdefaults__ = after.__defaults__, after.__kwdefaults__
    return True


def _shown(value: object) -> str:
    if isinstance(value, ClauseElement):
        compiled = value.compile()
        return f"{compiled} {compiled.params}"
    return type(value).__name__ + ADDRESS.sub("", repr(value))
