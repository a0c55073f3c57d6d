"""Ending what goes on in the background of an event loop."""

from __future__ import annotations

import asyncio
from typing import Any

AGAIN_S = 5.0
"""How long a task has to end before it is cancelled once more, in seconds."""


async def end_task(task: asyncio.Task[Any]) -> None:
    """Cancel a task, and wait until it has ended.

    It is cancelled again as long as it goes on: what it waits for can take a cancellation for the end of its own time, and a loop around that would
    never hear of it. A cancellation of whoever waits here is passed on, which ``suppress(CancelledError)`` around ``await task`` would swallow.

    Parameters
    ----------
    task : Task

    Raises
    ------
    Exception
        What the task ended with, unless that was the cancellation.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=AGAIN_S)
    if not task.cancelled():
        task.result()
