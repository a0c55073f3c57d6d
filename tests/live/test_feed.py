"""Watchers get the latest state, never a queue, and never hold anything up."""

from __future__ import annotations

import asyncio

import pytest

from hybrid_ml_scheduler.core.errors import RunRequestError
from hybrid_ml_scheduler.live.feed import MOST_TASKS, NEWEST_TASKS, LiveFeed

pytestmark = pytest.mark.anyio
PATIENCE_S = 60.0


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_what_was_missed_is_merged() -> None:
    feed = LiveFeed()
    follower = feed.subscribe(["run", "tasks"], 100.0)
    for number in range(1000):
        feed.publish("run", {"number": number})
        feed.publish("lanes", {"number": number})
        feed.publish_tasks([{"task_id": number}], 10, float(number))
    messages = await asyncio.wait_for(anext(follower), PATIENCE_S)
    assert sorted(message.topic for message in messages) == ["run", "tasks"]
    run, tasks = sorted(messages, key=lambda message: message.topic)
    assert run.body == {"number": 999}
    assert len(tasks.body["finished"]) == MOST_TASKS
    assert tasks.body["finished"][-1] == {"task_id": 999}
    assert (tasks.body["results"], tasks.body["total"]) == (10_000, 10_000)
    assert [message.seq for message in messages] == sorted(message.seq for message in messages)
    feed.publish_tasks([{"task_id": 1000}], 3, 1000.0)
    (message,) = await asyncio.wait_for(anext(follower), PATIENCE_S)
    assert (message.body["results"], message.body["total"]) == (3, 10_003)


async def test_a_snapshot_is_bounded_and_names_what_there_is() -> None:
    feed = LiveFeed()
    assert feed.snapshot(["run", "tasks"]) == []
    for number in range(1000):
        feed.publish_tasks([{"task_id": number}], 1, 0.0)
    feed.publish("run", {"state": "running"})
    run, tasks = feed.snapshot(["run", "tasks"])
    assert run.body == {"state": "running"}
    assert len(tasks.body["finished"]) == NEWEST_TASKS
    feed.forget()
    assert feed.snapshot(["run"]) == []


async def test_nothing_of_the_run_before_reaches_a_follower_once_another_one_begins() -> None:
    feed = LiveFeed()
    follower = feed.subscribe(["run", "lanes", "tasks"], 100.0)
    feed.publish("lanes", {"run": 1})
    feed.publish_tasks([{"task_id": 1}], 1, 0.0)
    feed.forget()
    feed.publish("run", {"run": 2})
    feed.publish_tasks([{"task_id": 2}], 1, 0.0)
    run, tasks = sorted(await asyncio.wait_for(anext(follower), PATIENCE_S), key=lambda message: message.topic)
    assert run.body == {"run": 2}
    assert (tasks.body["finished"], tasks.body["results"]) == ([{"task_id": 2}], 1)


async def test_closing_ends_a_wait_and_is_forgotten() -> None:
    feed = LiveFeed()
    follower = feed.subscribe(["run"], 10.0)
    waits = asyncio.ensure_future(anext(follower))
    await asyncio.sleep(0)
    await follower.close()
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(waits, PATIENCE_S)
    assert feed.followers == 0


async def test_unknown_topics_and_rates_are_refused() -> None:
    feed = LiveFeed()
    with pytest.raises(RunRequestError, match="nonsense"):
        feed.subscribe(["run", "nonsense"], 10.0)
    with pytest.raises(RunRequestError, match="rate"):
        feed.subscribe(["run"], float("nan"))
    assert feed.followers == 0
