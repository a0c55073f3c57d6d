"""Functions that are compiled without a way in from Python: calling one from Python ends the process without a word."""

from __future__ import annotations

import ast
from pathlib import Path

import hybrid_ml_scheduler.engine
from hybrid_ml_scheduler.engine.compiled import _source_digest

INNER = {"compiled_inner", "compiled_call"}


def decorators(function: ast.FunctionDef) -> set[str]:
    return {decorator.id for decorator in function.decorator_list if isinstance(decorator, ast.Name)}


def functions(tree: ast.Module) -> list[ast.FunctionDef]:
    return [statement for statement in ast.walk(tree) if isinstance(statement, ast.FunctionDef)]


def visible_inner(tree: ast.Module, inner: dict[str, set[str]]) -> set[str]:
    """Names by which a module can call functions without a wrapper: its own, and those it imports. Others of the same name elsewhere do not count."""
    own = {function.name for function in functions(tree) if decorators(function) & INNER}
    imported = {
        alias.asname or alias.name
        for statement in ast.walk(tree)
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
        if alias.name in inner.get(statement.module or "", set())
    }
    return own | imported


def test_only_compiled_functions_call_what_has_no_wrapper() -> None:
    folder = Path(hybrid_ml_scheduler.engine.__file__).parent
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in folder.rglob("*.py")}
    inner = {
        ".".join(("hybrid_ml_scheduler", "engine", *path.relative_to(folder).with_suffix("").parts)): {
            function.name for function in functions(tree) if decorators(function) & INNER
        }
        for path, tree in trees.items()
    }
    assert sum(map(len, inner.values())) > 30
    for path, tree in trees.items():
        names = visible_inner(tree, inner)
        for function in functions(tree):
            if any(decorator.startswith("compiled") for decorator in decorators(function)):
                continue
            called = {call.func.id for call in ast.walk(function) if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)}
            assert not called & names, f"{path.name}: {function.name} calls {called & names}"


def test_the_digest_of_the_sources_sees_every_file_in_every_folder(tmp_path: Path) -> None:
    deep = tmp_path / "features" / "deep"
    deep.mkdir(parents=True)
    (tmp_path / "a.py").write_text("1\n")
    (deep / "b.py").write_text("2\n")
    seen = [_source_digest(tmp_path)]
    assert _source_digest(tmp_path) == seen[0]
    (deep / "b.py").write_text("3\n")
    seen.append(_source_digest(tmp_path))
    (deep / "b.py").rename(tmp_path / "features" / "b.py")
    seen.append(_source_digest(tmp_path))
    (tmp_path / "features" / "empty.py").write_text("")
    seen.append(_source_digest(tmp_path))
    (tmp_path / "features" / "notes.txt").write_text("no source")
    assert _source_digest(tmp_path) == seen[-1]
    assert len(set(seen)) == 4
