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


def test_only_compiled_functions_call_what_has_no_wrapper() -> None:
    folder = Path(hybrid_ml_scheduler.engine.__file__).parent
    trees = {str(path.relative_to(folder)): ast.parse(path.read_text(encoding="utf-8")) for path in folder.rglob("*.py")}
    inner = {function.name for tree in trees.values() for function in functions(tree) if decorators(function) & INNER}
    assert len(inner) > 30
    for name, tree in trees.items():
        for function in functions(tree):
            if any(decorator.startswith("compiled") for decorator in decorators(function)):
                continue
            called = {call.func.id for call in ast.walk(function) if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)}
            assert not called & inner, f"{name}: {function.name} calls {called & inner}"


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
