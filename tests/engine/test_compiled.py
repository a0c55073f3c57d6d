"""Functions that are compiled without a way in from Python: calling one from Python ends the process without a word."""

from __future__ import annotations

import ast
from pathlib import Path

import hybrid_ml_scheduler.engine

INNER = {"compiled_inner", "compiled_call"}


def decorators(function: ast.FunctionDef) -> set[str]:
    return {decorator.id for decorator in function.decorator_list if isinstance(decorator, ast.Name)}


def functions(tree: ast.Module) -> list[ast.FunctionDef]:
    return [statement for statement in ast.walk(tree) if isinstance(statement, ast.FunctionDef)]


def test_only_compiled_functions_call_what_has_no_wrapper() -> None:
    trees = {path.name: ast.parse(path.read_text(encoding="utf-8")) for path in Path(hybrid_ml_scheduler.engine.__file__).parent.glob("*.py")}
    inner = {function.name for tree in trees.values() for function in functions(tree) if decorators(function) & INNER}
    assert len(inner) > 30
    for name, tree in trees.items():
        for function in functions(tree):
            if any(decorator.startswith("compiled") for decorator in decorators(function)):
                continue
            called = {call.func.id for call in ast.walk(function) if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)}
            assert not called & inner, f"{name}: {function.name} calls {called & inner}"
