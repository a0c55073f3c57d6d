"""What the live stream sends is what its description says: the dashboard's types are generated from that."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson
import pytest

from hybrid_ml_scheduler.live.contract import MESSAGE_VERSION, TOPICS, Message, RunRequest
from hybrid_ml_scheduler.service.messages import FRAMES, stream_document
from live_cases import ended, open_controller, until

pytestmark = pytest.mark.anyio
PATIENCE_S = 120.0
REQUEST = RunRequest(policies=("hybrid_ml", "priced", "oracle"), seed=7, max_tasks=400, retrain_every=100)


def conforms(kind: str, messages: Sequence[Message], **more: Any) -> None:
    """Hold one frame, as it is sent, against the description: nothing is missing, nothing is sent besides."""
    frame = {"type": kind, "version": MESSAGE_VERSION, "cursor": "ab-1", "messages": [asdict(message) for message in messages], **more}
    sent = orjson.loads(orjson.dumps(frame, option=orjson.OPT_SERIALIZE_NUMPY))
    assert FRAMES.validate_python(sent).model_dump(mode="json") == sent


async def test_every_message_of_a_real_run_is_as_described(tmp_path: Path) -> None:
    seen: dict[str, int] = {}
    async with open_controller(tmp_path / "data", training_rows=300) as controller:
        subscription = controller.feed.subscribe(TOPICS, 100.0)

        async def follow() -> None:
            async for messages in subscription:
                conforms("update", messages)
                for message in messages:
                    seen[message.topic] = seen.get(message.topic, 0) + 1

        following = asyncio.create_task(follow())
        await controller.start(REQUEST)
        await until(controller, ended)
        snapshot = controller.feed.snapshot(TOPICS)
        conforms("snapshot", snapshot, topics=list(TOPICS))
        assert [message.topic for message in snapshot] == list(TOPICS)
        await subscription.close()
        await asyncio.wait_for(following, PATIENCE_S)
    assert set(seen) == set(TOPICS)


def test_the_other_frames_are_as_described() -> None:
    for kind in ("heartbeat", "pong"):
        frame = {"type": kind, "version": MESSAGE_VERSION, "cursor": "ab-1"}
        assert FRAMES.validate_python(frame).model_dump() == frame


def test_the_description_holds_every_topic() -> None:
    schemas = stream_document()["components"]["schemas"]
    (topics,) = {tuple(schema["properties"]["topics"]["items"]["enum"]) for schema in (schemas["SnapshotFrame"], schemas["SubscribeFrame"])}
    assert topics == TOPICS
    assert {schemas[f"{topic.title()}Message"]["properties"]["topic"]["const"] for topic in TOPICS} == set(TOPICS)
