"""Puts a mutant in the place of a module that is already imported, so that nothing has to be imported again."""

from __future__ import annotations

import gc
import re
import sys
from collections.abc import Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final

from sqlalchemy.sql import ClauseElement

NEWLOCALS: Final = 0x2  # flag of the code of functions; the body of a class does not have it
ADDRESS: Final = re.compile(r" at 0x[0-9a-f]+")


def replace(module: ModuleType, original: str, mutant: str) -> bool:
    """Change what the mutant changes, in memory; False if it changes nothing that can be replaced."""
    path = str(module.__file__)
    old, new = compile(original, path, "exec"), compile(mutant, path, "exec")
    try:
        return _replace_code(old, new) or _replace_values(module, old, new)
    except ValueError:  # a function's new code has other free variables
        return False


def _functions(code: CodeType) -> Iterator[CodeType]:
    """The outermost functions of a module and of its classes, in order."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            if constant.co_flags & NEWLOCALS:
                yield constant
            else:
                yield from _functions(constant)


def _replace_code(old: CodeType, new: CodeType) -> bool:
    pairs = zip(_functions(old), _functions(new), strict=False)
    changed = {_place(before): after for before, after in pairs if _plain(before) != _plain(after)}
    found = [
        function
        for function in gc.get_objects()
        if type(function) is FunctionType and _place(function.__code__) in changed
    ]
    for function in found:
        function.__code__ = changed[_place(function.__code__)]
    return bool(found)


def _place(code: CodeType) -> tuple[str, int, str]:
    return code.co_filename, code.co_firstlineno, code.co_qualname


def _plain(code: CodeType) -> object:
    """A code without its line numbers, to compare."""
    constants = tuple(_plain(part) if isinstance(part, CodeType) else (type(part), part) for part in code.co_consts)
    return code.co_code, constants, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars


def _replace_values(module: ModuleType, old: CodeType, new: CodeType) -> bool:
    """Replace constants, defaults and decorated members: all that has its value since the import."""
    before, after = dict(vars(module)), dict(vars(module))
    exec(old, before)
    exec(new, after)
    done = False
    for name, value in after.items():
        current = vars(module).get(name)
        if isinstance(value, type) and value.__module__ == module.__name__:
            done = _replace_members(current, before[name], value) or done
        elif isinstance(value, FunctionType):
            done = _replace_defaults(current, value) or done
        elif name != "__builtins__" and _shown(value) != _shown(before.get(name)):
            for user in list(sys.modules.values()):
                if name in getattr(user, "__dict__", ()) and vars(user)[name] is current:
                    setattr(user, name, value)
                    done = True
    return done


def _replace_members(current: Any, before: type, after: type) -> bool:
    done = False
    for name, value in vars(after).items():
        own = vars(current).get(name)
        if isinstance(own, FunctionType) and isinstance(value, FunctionType):
            done = _replace_defaults(own, value) or done
        elif _shown(value) != _shown(vars(before).get(name)) and name not in ("__dict__", "__weakref__"):
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
