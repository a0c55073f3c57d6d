"""Ending background tasks."""

from __future__ import annotations

import asyncio

import pytest

from hybrid_ml_scheduler.core import tasks

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_a_cancellation_that_something_took_for_its_own_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "AGAIN_S", 0.01)
    swallowed = []

    async def loop() -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if len(swallowed) == 2:
                    raise
                swallowed.append(1)

    task = asyncio.create_task(loop())
    await asyncio.sleep(0)
    async with asyncio.timeout(60):
        await tasks.end_task(task)
    assert task.cancelled()
    assert len(swallowed) == 2


async def test_what_a_task_ended_with_is_told_and_ending_it_twice_is_no_error() -> None:
    async def fails() -> None:
        raise ValueError("no")

    task = asyncio.create_task(fails())
    await asyncio.wait({task})
    with pytest.raises(ValueError, match="no"):
        await tasks.end_task(task)
    ended = asyncio.create_task(asyncio.Event().wait())
    for _ in range(2):
        await tasks.end_task(ended)
    assert ended.cancelled()


async def test_whoever_waits_can_be_cancelled() -> None:
    going_on = asyncio.Event()

    async def stubborn() -> None:
        while not going_on.is_set():
            try:
                await going_on.wait()
            except asyncio.CancelledError:
                continue

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    waiting = asyncio.create_task(tasks.end_task(task))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    going_on.set()
    await task
