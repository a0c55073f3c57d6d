"""Journal against database, by means that share nothing with the package: Python's own reader of CSV, and SQL through the bare drivers.

`hms db check` compares the two as well; here is a second opinion.
"""

from __future__ import annotations

import asyncio
import csv
import json
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

TABLES = {"tasks": "tasks", "results": "scheduler_results", "training": "training_data"}
AT_ONCE = 5_000


@dataclass
class Comparison:
    """What there is of one run.

    Attributes
    ----------
    tasks, rows : int
        Tasks that arrived, and rows of all streams, as the journal has them.
    whole : int
        Tasks with a result from every lane that they were given to.
    lost : int
        Rows that only the journal has, and gaps in the numbers of rows or tasks.
    duplicated : int
        Rows whose key stands before, in the journal or in the database.
    unequal : int
        Rows with other values, or rows that only the database has.
    first : str
        The first thing that was wrong.
    """

    tasks: int = 0
    rows: int = 0
    whole: int = 0
    lost: int = 0
    duplicated: int = 0
    unequal: int = 0
    first: str = ""

    def wrong(self, kind: str, what: str) -> None:
        setattr(self, kind, getattr(self, kind) + 1)
        self.first = self.first or what

    @property
    def equal(self) -> bool:
        return not (self.lost or self.duplicated or self.unequal)


def compare(data: Path, url: str | None, run_id: int) -> Comparison:
    """Compare the journal of a run with the rows in the database; ``url`` None: the embedded one."""
    return asyncio.run(_compare(data, url, run_id))


async def _compare(data: Path, url: str | None, run_id: int) -> Comparison:
    found = Comparison()
    lanes: dict[int, int] = {}
    results: Counter[int] = Counter()
    async with _database(data, url) as rows_of:
        for stream, table in TABLES.items():
            keys: set[tuple[str, str]] = set()
            there = rows_of(f"SELECT * FROM {table} WHERE run_id = {run_id} ORDER BY seq")
            number = -1
            for line in journal_lines(data, run_id, stream):
                number += 1
                found.rows += 1
                where = f"run {run_id}, {stream} {line['seq']}"
                if int(line["seq"]) != number:
                    found.wrong("lost", f"{where}: expected number {number}")
                    number = int(line["seq"])
                key = (line["task_id"], line.get("scheduler", ""))
                if key in keys:
                    found.wrong("duplicated", f"{where}: key {key} stands before")
                keys.add(key)
                row = await anext(there, None)
                if row is None:
                    found.wrong("lost", f"{where}: not in the database")
                elif different := [name for name, text in line.items() if not _equal(text, row[name])]:
                    found.wrong("unequal", f"{where}: {different} differ: {line} and {row}")
                if stream == "tasks":
                    lanes[int(line["task_id"])] = int(line["lanes"])
                elif stream == "results":
                    results[int(line["task_id"])] += 1
            async for row in there:
                found.wrong("unequal", f"run {run_id}, {stream}: {row} is not in the journal")
    found.tasks = len(lanes)
    for missing in set(range(len(lanes))) - set(lanes):
        found.wrong("lost", f"run {run_id}: task {missing} was never given to the lanes")
    found.whole = sum(results[task] == count for task, count in lanes.items())
    for task in results.keys() - lanes.keys():
        found.wrong("unequal", f"run {run_id}: results of task {task}, which is not there")
    return found


def journal_lines(data: Path, run_id: int, stream: str) -> Iterator[dict[str, str]]:
    """Read the journal's files in their order."""
    folder = data / "journal" / str(run_id)
    for path in sorted(folder.glob(f"{stream}-*.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            yield from csv.DictReader(file)


def _equal(text: str, value: Any) -> bool:
    """Whether a column of the database holds what stands in a file."""
    if value is None or isinstance(value, str):
        return text == (value or "")
    return float(text) == float(value) if text else False


@asynccontextmanager
async def _database(data: Path, url: str | None) -> AsyncIterator[Any]:
    """Yield a function that yields the rows of a query."""
    if url is None:
        with closing(sqlite3.connect(f"file:{data / 'hms.sqlite3'}?mode=ro", uri=True)) as embedded:
            embedded.row_factory = sqlite3.Row

            async def rows_of_file(statement: str) -> AsyncIterator[Mapping[str, Any]]:
                for row in embedded.execute(statement):
                    yield dict(row)

            yield rows_of_file
        return
    server = await asyncpg.connect(url.replace("postgresql+asyncpg://", "postgresql://"))

    async def rows_of_server(statement: str) -> AsyncIterator[Mapping[str, Any]]:
        async with server.transaction():
            async for row in server.cursor(statement, prefetch=AT_ONCE):
                yield dict(row)

    try:
        yield rows_of_server
    finally:
        await server.close()


def same_runs(data: Path, first: int, second: int) -> Comparison:
    """Compare two runs of one journal with each other, row by row and text by text, whatever the order of their rows."""
    found = Comparison()
    for stream in TABLES:
        expected = {_key(line): line for line in journal_lines(data, first, stream)}
        for line in journal_lines(data, second, stream):
            found.rows += 1
            other = expected.pop(_key(line), None)
            if other is None:
                found.wrong("duplicated", f"{stream}: {line} stands in one of the runs only")
            elif {**line, "run_id": "", "seq": ""} != {**other, "run_id": "", "seq": ""}:
                found.wrong("unequal", f"{stream}: {other} in one run, {line} in the other")
        for line in expected.values():
            found.wrong("lost", f"{stream}: {line} stands in one of the runs only")
    return found


def _key(line: Mapping[str, str]) -> tuple[str, str]:
    return line["task_id"], line.get("scheduler", "")


def run_of(data: Path, run_id: int) -> dict[str, Any]:
    """Return the description of a run in the journal."""
    found: dict[str, Any] = json.loads((data / "journal" / str(run_id) / "run.json").read_text(encoding="utf-8"))
    return found
