"""The leader's side of a shared run: shows it to the other processes, and does what they are asked to do."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from hybrid_ml_scheduler.core.errors import HmsError
from hybrid_ml_scheduler.core.tasks import end_task
from hybrid_ml_scheduler.live.contract import TOPICS, Controller, Message
from hybrid_ml_scheduler.live.feed import LiveFeed
from hybrid_ml_scheduler.live.leadership import Lead
from hybrid_ml_scheduler.live.wire import ANSWERS, CONTROL, STATE, UnreadableError, error_message, pack, read_request, unpack
from hybrid_ml_scheduler.storage.cache import Sharing

_LOG = logging.getLogger(__name__)

SHOWN_EVERY_S = 0.1
"""How often something new is shown to other processes."""
SIGN_EVERY_S = 0.5
"""How often the leader says that it is there when there is nothing new."""
_WHOLE = tuple(topic for topic in TOPICS if topic != "tasks")
"""Topics whose newest message says everything."""


class Relay:
    """Shows the run and serves calls while this process leads.

    Parameters
    ----------
    sharing : Sharing
    controller : Controller
        What runs the run.
    feed : LiveFeed
        Its messages.
    lead : Lead
    facts : callable
        What else is shown of this process, JSON-able.
    """

    def __init__(self, sharing: Sharing, controller: Controller, feed: LiveFeed, lead: Lead, facts: Callable[[], Mapping[str, Any]]) -> None:
        self._sharing = sharing
        self._controller = controller
        self._feed = feed
        self._lead = lead
        self._facts = facts
        self._seen, self._results = {"tasks": 0}, feed.results
        self._new_tasks()
        self._calls = sharing.subscribe(CONTROL)
        self._shown: Any = None
        self._unchanged_s = 0.0
        self._sending = asyncio.Lock()
        self._work: set[asyncio.Task[None]] = set()
        self._loops = [asyncio.create_task(self._show_on(), name="show the run"), asyncio.create_task(self._serve_on(), name="serve other processes")]

    async def close(self) -> None:
        """Show nothing and take no calls any more. Calls under way end by themselves."""
        self._calls.close()
        for task in self._loops:
            await end_task(task)

    def _new_tasks(self) -> list[Message]:
        """Return what has finished since the last time."""
        # A new run begins to count anew.
        messages, self._seen = self._feed.since(self._seen, min(self._results, self._feed.results))
        self._results = self._feed.results
        return messages

    async def _show_on(self) -> None:
        while True:
            await asyncio.sleep(SHOWN_EVERY_S)
            self._unchanged_s += SHOWN_EVERY_S
            if self._controller.status() is not self._shown or self._unchanged_s >= SIGN_EVERY_S:
                await self.show()

    async def show(self) -> None:
        """Show where the run stands now."""
        async with self._sending:
            if not self._lead.holds():
                return
            self._shown, self._unchanged_s = self._controller.status(), 0.0
            messages = [{"topic": message.topic, "body": message.body} for message in (*self._feed.snapshot(_WHOLE), *self._new_tasks())]
            shown = {"token": self._lead.token, "status": self._shown, "facts": self._facts(), "messages": messages}
            await self._sharing.publish_latest(STATE, pack(shown))

    async def _serve_on(self) -> None:
        async for _, data in self._calls:
            task = asyncio.create_task(self._serve(data))
            self._work.add(task)
            task.add_done_callback(self._work.discard)

    async def _serve(self, data: bytes) -> None:
        try:
            call = unpack(data)
            answer_to, number, method, arguments = str(call["from"]), str(call["id"]), str(call["method"]), dict(call["arguments"])
            work = self._method(method, arguments)
        except (UnreadableError, KeyError, TypeError, ValueError) as error:
            _LOG.warning("a call of another process was not understood: %s", error)
            return
        if not self._lead.holds():
            work.close()
            return
        await self._answer(answer_to, number, kind="taken")
        try:
            found = await work
        except HmsError as error:
            await self._answer(answer_to, number, kind="failed", error=error_message(error))
        except Exception as error:  # noqa: BLE001 - logged, and said to whoever asked
            # Whoever asked must not wait for ever; the traceback is in the log of this process.
            _LOG.exception("a call of another process failed")
            await self._answer(answer_to, number, kind="failed", error={"kind": "EngineError", "text": f"a defect of the program ({error})"})
        else:
            # Everybody sees what was done before it is said to be done.
            await self.show()
            await self._answer(answer_to, number, kind="done", value=found)

    def _method(self, name: str, arguments: dict[str, Any]) -> Any:
        """Return what does it, not begun yet."""
        controller = self._controller
        makers: dict[str, Callable[[], Awaitable[Any]]] = {
            "start": lambda: controller.start(read_request(arguments["request"])),
            "stop": controller.stop,
            "pause": controller.pause,
            "resume": controller.resume,
            "set_speed": lambda: controller.set_speed(arguments["speed"]),
            "add_policy": lambda: controller.add_policy(str(arguments["policy"])),
            "remove_policy": lambda: controller.remove_policy(str(arguments["policy"])),
            "timeline": lambda: controller.timeline(str(arguments["policy"]), int(arguments["since"]), int(arguments["limit"])),
            "explain": lambda: controller.explain(int(arguments["run_id"]), int(arguments["task_id"]), str(arguments["policy"])),
        }
        return makers[name]()

    async def _answer(self, to: str, number: str, **what: Any) -> None:
        await self._sharing.publish(ANSWERS, pack({"to": to, "id": number, **what}))
