"""The server: one process, one event loop, ended in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import Iterator
from typing import NoReturn

import uvicorn
from fastapi import FastAPI

from hybrid_ml_scheduler.core.errors import SettingsError
from hybrid_ml_scheduler.service.app import create_app
from hybrid_ml_scheduler.service.memory import give_memory_back
from hybrid_ml_scheduler.service.observability.logs import Log
from hybrid_ml_scheduler.service.security.install import refuse_if_open_to_others
from hybrid_ml_scheduler.service.security.protocol import protocol_of
from hybrid_ml_scheduler.service.security.socket_protocol import socket_protocol_of
from hybrid_ml_scheduler.service.settings import ServiceSettings

_LOG = logging.getLogger(__name__)

OUT_OF_TIME = 1
"""Exit code if the service could not end in order within ``HMS_SHUTDOWN_TIMEOUT_S``."""

_BACKLOG = 1_024
_PING_EVERY_S = 20.0
_LONG_START_S = 10.0


class _Server(uvicorn.Server):
    """A server that leaves signals to `serve`: uvicorn would raise them again before the run has been saved."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bind(settings: ServiceSettings) -> socket.socket:
    """Take the port, without listening yet: until the run has been taken up again, clients are refused.

    Raises
    ------
    SettingsError
        If it cannot be had.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except OSError as error:
        raise SettingsError("HMS_HOST", f"{settings.host} is no address here ({error.strerror})", "an address of this machine (--host)") from error
    found = socket.socket(family, kind, protocol)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
    except OSError as error:
        found.close()
        name, expected = ("HMS_PORT", "a free one (--port)") if settings.port else ("HMS_HOST", "an address of this machine (--host)")
        raise SettingsError(name, f"cannot listen on {settings.host}, port {settings.port} ({error.strerror})", expected) from error
    return found


def address_of(listener: socket.socket) -> str:
    """Return where a browser finds the service."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not listened on
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def http_server(app: FastAPI, settings: ServiceSettings) -> uvicorn.Server:
    """Return the server for an application whose lifespan is somebody else's business."""
    return _Server(
        uvicorn.Config(
            app,
            lifespan="off",  # its errors are ours: one line, and an exit code
            log_config=None,
            access_log=False,
            server_header=False,
            http=protocol_of(settings),
            proxy_headers=False,  # whom to believe about addresses is HMS_TRUSTED_PROXIES, not everybody on this machine
            backlog=_BACKLOG,
            timeout_graceful_shutdown=max(1, int(settings.shutdown_timeout_s / 8)),
            ws=socket_protocol_of(settings),
            ws_max_size=int(settings.ws_message_max_kb * 1e3),
            ws_ping_interval=_PING_EVERY_S,
            ws_ping_timeout=settings.ws_send_timeout_s,
            ws_per_message_deflate=False,
        )
    )


async def serve(settings: ServiceSettings, log: Log, *, start: bool = True, open_browser: bool = False, insecure: bool = False) -> None:
    """Serve until SIGTERM or SIGINT, then save where the run stands.

    Parameters
    ----------
    settings : ServiceSettings
    log : Log
        Told which run is present.
    start : bool
        Whether to start a run if none was interrupted.
    open_browser : bool
        Whether to show the page, where there is a browser.
    insecure : bool
        Whether everybody may do everything, even where others than this machine can reach it.

    Raises
    ------
    InputError
        If the port or the data folder is taken, a setting makes no sense, or there are no keys where others can reach it.
    """
    await refuse_if_open_to_others(settings, insecure=insecure)
    app = create_app(settings, start=start, insecure=insecure)
    server = http_server(app, settings)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _end, server, settings)
    with contextlib.closing(bind(settings)) as listener:
        late = loop.call_later(_LONG_START_S, ask_for_patience)
        async with app.router.lifespan_context(app):
            late.cancel()
            log.follow(lambda: app.state.resources.controller.status().run_id)
            say(app.state.resources.controller.status().run_id, address_of(listener), settings, app.state.security.access.mode)
            if open_browser:
                await asyncio.to_thread(show, address_of(listener))
            await server.serve(sockets=[listener])


def ask_for_patience() -> None:
    """Say why nothing is to be seen yet."""
    _LOG.warning("still starting: after an installation or an update the simulator is compiled, once, which takes about a minute")


def _end(server: uvicorn.Server, settings: ServiceSettings) -> None:
    if server.should_exit:
        # Asked a second time: wait for no client.
        server.force_exit = True
        return
    server.should_exit = True
    # Taking up a run, or what a thread does, can last longer than anybody wants to wait. Whatever counts is in the journal.
    late = threading.Timer(settings.shutdown_timeout_s, _leave, (OUT_OF_TIME,))
    late.daemon = True
    late.start()


def _leave(code: int = 0) -> NoReturn:
    """End this process now: threads that still compile or train would keep it for as long as they take, for results that nobody waits for."""
    if code == OUT_OF_TIME:
        _LOG.warning("not everything had ended in time; the next start goes on from the last checkpoint and the journal")
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


_WHO = {
    "keys": "who uses it needs a key or a sign-in",
    "open": "open: whoever is on this machine may do everything, until the first key is made (hms keys create --scope admin)",
    "insecure": "OPEN TO OTHERS: whoever reaches this address may do everything (--insecure)",
}


def say(run_id: int | None, address: str, settings: ServiceSettings, mode: str) -> None:
    """Say where to look, and who else may."""
    run = f"run {run_id}" if run_id is not None else "no run yet: POST /api/start"
    print(  # noqa: T201 - what the command is there for
        f"{address}  dashboard ({run})\n{address}/docs  API\n{_WHO[mode]}\n"
        f"data in {settings.folder}\nCtrl-C ends it; the next start goes on where it was",
        flush=True,
    )


def show(address: str) -> bool:
    """Show the page in a browser, if there is one that needs no terminal; return whether it was."""
    try:
        return not _needs_terminal() and webbrowser.open(address)
    except webbrowser.Error:
        return False


def _needs_terminal() -> bool:
    """Whether the only browser there is would take over this terminal, as over SSH."""
    try:
        return isinstance(webbrowser.get(), webbrowser.GenericBrowser) and not isinstance(webbrowser.get(), webbrowser.BackgroundBrowser)
    except webbrowser.Error:
        return True


def run(settings: ServiceSettings, *, start: bool = True, open_browser: bool = False, insecure: bool = False) -> None:
    """Serve in a fresh event loop, and end this process when that is over; see `serve`."""
    give_memory_back()
    log = Log(settings)
    log.install()

    async def work() -> NoReturn:
        await serve(settings, log, start=start, open_browser=open_browser, insecure=insecure)
        _leave()

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(work())


def _loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # pragma: no cover - where uvloop is not built
        return None
    return uvloop.Loop
