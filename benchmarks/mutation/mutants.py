"""The mutants of a module: cosmic-ray's operators, and one of our own that removes a statement."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import cosmic_ray.ast
import cosmic_ray.plugins
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator

Position = tuple[int, int]  # line from 1, column from 0

# One replacement of each operator is enough: the others are killed by the same tests.
OPERATORS: Final = (
    "NumberReplacer",
    "AddNot",
    "ReplaceTrueWithFalse",
    "ReplaceFalseWithTrue",
    "ReplaceAndWithOr",
    "ReplaceOrWithAnd",
    "ReplaceBreakWithContinue",
    "ReplaceContinueWithBreak",
    "ExceptionReplacer",
    "ZeroIterationForLoop",
    "RemoveDecorator",
    "ReplaceComparisonOperator_Eq_NotEq",
    "ReplaceComparisonOperator_NotEq_Eq",
    "ReplaceComparisonOperator_Lt_LtE",
    "ReplaceComparisonOperator_LtE_Lt",
    "ReplaceComparisonOperator_Gt_GtE",
    "ReplaceComparisonOperator_GtE_Gt",
    "ReplaceComparisonOperator_Is_IsNot",
    "ReplaceComparisonOperator_IsNot_Is",
    "ReplaceUnaryOperator_Delete_Not",
    "ReplaceUnaryOperator_USub_UAdd",
    "ReplaceBinaryOperator_Add_Sub",
    "ReplaceBinaryOperator_Sub_Add",
    "ReplaceBinaryOperator_Mul_Div",
    "ReplaceBinaryOperator_Div_Mul",
    "ReplaceBinaryOperator_FloorDiv_Mul",
    "ReplaceBinaryOperator_Mod_Mul",
    "ReplaceBinaryOperator_Pow_Mul",
    "ReplaceBinaryOperator_BitOr_BitAnd",
    "ReplaceBinaryOperator_BitAnd_BitOr",
)
EQUIVALENT_DECORATORS: Final = ("@dataclass", "@lru_cache", "@overload", "@override")
TYPES: Final = ("TypeVar", "Callable", "tuple[", "dict[")  # of a name for a type
TARGETS: Final = ("power", "atom_expr", "await_expr")


class RemoveStatement(Operator):  # type: ignore[misc]
    """Replaces a call, or an assignment to an attribute or an item, by `pass`."""

    def mutation_positions(self, node: Any) -> Iterator[tuple[Position, Position]]:
        """Where the node is such a statement."""
        if node.type == "simple_stmt" and _has_effect(node.children[0]):
            yield node.children[0].start_pos, node.children[0].end_pos

    def mutate(self, node: Any, index: int) -> Any:
        """The statement without its effect."""
        assert index == 0
        first = node.children[0]
        node.children[0] = cosmic_ray.ast.get_ast(f"{first.get_first_leaf().prefix}pass").children[0]
        return node

    @classmethod
    def examples(cls) -> tuple[Any, ...]:
        """Return no examples; only cosmic-ray's own tests use them."""
        return ()


def _has_effect(statement: Any) -> bool:
    if statement.type in TARGETS:
        return not statement.get_code().strip().startswith("log.")
    return bool(statement.type == "expr_stmt" and statement.children[0].type in TARGETS)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one place."""

    operator: str
    line: int
    before: str
    after: str
    source: str  # of the whole module

    @property
    def name(self) -> str:
        """The change as one line."""
        return f"{self.line}: {self.operator}: {self.before}  ->  {self.after}"


def mutants_of(source: str) -> list[Mutant]:
    """Every mutant of a module's source but those in annotations and log lines, which no test can notice."""
    left_out, lines = _left_out(source), source.split("\n")
    found: dict[str, Mutant] = {}
    operators = {name: cosmic_ray.plugins.get_operator(f"core/{name}")() for name in OPERATORS}
    for name, operator in {**operators, "RemoveStatement": RemoveStatement()}.items():
        places = [place for node in ast_nodes(get_ast(source)) for place in operator.mutation_positions(node)]
        for number, (start, end) in enumerate(places):
            if any(begin <= start and end <= stop for begin, stop in left_out):
                continue
            if name == "RemoveDecorator" and lines[start[0] - 1].strip().startswith(EQUIVALENT_DECORATORS):
                continue
            changed = _changed(source, operator, number)
            if changed is not None and changed not in found and _compiles(changed):
                found[changed] = Mutant(name, start[0], *_difference(source, changed), changed)
    return sorted(found.values(), key=lambda mutant: mutant.line)


def _changed(source: str, operator: Operator, number: int) -> str | None:
    try:
        changed: str | None = mutate_code(source, operator, number)
    except AttributeError:  # ExceptionReplacer cannot replace `module.Name`
        return None
    return changed


def _compiles(source: str) -> bool:
    try:
        compile(source, "mutant", "exec")
    except SyntaxError:
        return False
    return True


def _left_out(source: str) -> list[tuple[Position, Position]]:
    places: list[ast.AST] = []
    stars: list[tuple[Position, Position]] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            places += [node.returns] if node.returns else []
            stars += [_star(node)] if node.args.kwonlyargs and not node.args.vararg else []
        if isinstance(node, ast.ClassDef) and any(ast.unparse(base).startswith("Protocol") for base in node.bases):
            places.append(node)  # nothing of it runs
        if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation:
            places.append(node.annotation)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            places += [d for d in node.decorator_list if f"@{ast.unparse(d)}".startswith(EQUIVALENT_DECORATORS)]
        if isinstance(node, ast.Expr) and ast.unparse(node).startswith("log."):
            places.append(node)
        if isinstance(node, ast.Assign) and ast.unparse(node.value).startswith(
            ("TypeVar", "Callable", "tuple[", "dict[")
        ):
            places.append(node.value)
    # A decorator's position begins at its @, one before that of its expression.
    return stars + [
        ((p.lineno, max(0, p.col_offset - 1)), (p.end_lineno, p.end_col_offset + 1))  # type: ignore[attr-defined]
        for p in places
    ]


def _star(function: ast.FunctionDef | ast.AsyncFunctionDef) -> tuple[Position, Position]:
    """Around the star before a function's keyword parameters, which is no multiplication."""
    given = function.args
    before: list[ast.arg | ast.expr] = [*given.posonlyargs, *given.args, *given.defaults]
    begin = max(((node.end_lineno or 0, node.end_col_offset or 0) for node in before), default=(function.lineno, 0))
    return begin, (given.kwonlyargs[0].lineno, given.kwonlyargs[0].col_offset)


def _difference(before: str, after: str) -> tuple[str, str]:
    """The first line that differs, in both; blanks at its ends left out."""
    pairs = zip(before.split("\n"), after.split("\n"), strict=False)
    old, new = next(((old, new) for old, new in pairs if old != new), ("", ""))
    return old.strip(), new.strip()
