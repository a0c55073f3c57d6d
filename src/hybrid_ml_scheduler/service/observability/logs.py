"""The log: JSON for machines, readable for people; each line says which run, request and trace it belongs to, and holds no secret.

Modules log through the standard library; structlog renders what they say, and what libraries say, in one way.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from typing import Any, TextIO

import orjson
import structlog

from hybrid_ml_scheduler.core.errors import SettingsError
from hybrid_ml_scheduler.service.observability.cleaning import Cleaner, secrets_of
from hybrid_ml_scheduler.service.observability.context import REQUEST
from hybrid_ml_scheduler.service.settings import ServiceSettings

Event = MutableMapping[str, Any]
_QUIET = (
    "uvicorn",
    "alembic",
    "asyncio",
    "httpx",
    "httpcore",
    "opentelemetry",
    "redis",
    "sqlalchemy",
    "aiosqlite",
    "websockets",
    "numba",
    "matplotlib",
)
"""Libraries that tell too much: they are asked for warnings only, unless everything is wanted."""
_OURS = frozenset({"timestamp", "level"})
"""What is made here needs no cleaning."""
_INDENT = "    | "

_RunId = Callable[[], int | None]


class Log:
    """The log of this process; one at a time.

    Parameters
    ----------
    settings : ServiceSettings
    stream : TextIO, optional
        Where to if no file is set; standard error by default.

    Raises
    ------
    SettingsError
        If the file cannot be opened.
    """

    def __init__(self, settings: ServiceSettings, stream: TextIO | None = None) -> None:
        self._cleaner = Cleaner(secrets_of(settings))
        self._run_id: _RunId = lambda: None
        stream = sys.stderr if stream is None else stream
        if settings.log_file is None:
            self._handler: logging.Handler = logging.StreamHandler(stream)
        else:
            try:
                settings.log_file.parent.mkdir(parents=True, exist_ok=True)
                self._handler = RotatingFileHandler(
                    settings.log_file, maxBytes=max(1, int(settings.log_file_mb * 1e6)), backupCount=settings.log_files, encoding="utf-8"
                )
            except OSError as error:
                raise SettingsError("HMS_LOG_FILE", f"cannot be written ({error.strerror})", "a file that can") from error
        terminal = settings.log_file is None and stream.isatty()
        console = settings.log_format == "console" or (settings.log_format == "auto" and terminal)
        self._handler.setFormatter(self._formatter(console=console, colours=terminal))
        self._level = logging.getLevelNamesMapping()[settings.log_level.upper()]
        self._before: dict[str, int] = {}

    def _formatter(self, *, console: bool, colours: bool) -> logging.Formatter:
        shared: list[structlog.types.Processor] = [
            structlog.stdlib.ExtraAdder(),
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            self._where,
        ]
        last: list[structlog.types.Processor] = [structlog.processors.format_exc_info, self._clean]
        if console:
            last += [_indent, structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=structlog.dev.plain_traceback)]
        else:
            last += [structlog.processors.JSONRenderer(serializer=_json)]
        return structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last]
        )

    def install(self) -> None:
        """Let everything that is logged in this process go here."""
        root = logging.getLogger()
        self._before = {"": root.level, **{name: logging.getLogger(name).level for name in _QUIET}}
        root.addHandler(self._handler)
        root.setLevel(self._level)
        if self._level > logging.DEBUG:
            for name in _QUIET:
                logging.getLogger(name).setLevel(max(self._level, logging.WARNING))

    def remove(self) -> None:
        """Undo `install`, and close the file."""
        logging.getLogger().removeHandler(self._handler)
        for name, level in self._before.items():
            logging.getLogger(name).setLevel(level)
        self._handler.close()

    def follow(self, run_id: _RunId) -> None:
        """Let each line say which run is present."""
        self._run_id = run_id

    def _where(self, logger: Any, method: str, event: Event) -> Event:
        run_id = self._run_id()
        if run_id is not None:
            event.setdefault("run_id", run_id)
        request = REQUEST.get()
        if request is not None:
            event["request_id"] = request.request_id
        trace_id = request.trace_id if request is not None and request.trace_id is not None else _trace_id()
        if trace_id is not None:
            event["trace_id"] = trace_id
        return event

    def _clean(self, logger: Any, method: str, event: Event) -> Event:
        for key, value in event.items():
            if key in _OURS or value is None or isinstance(value, bool | int | float):
                continue
            # What a traceback says stays in lines; they are told apart from those of the log below.
            text = value if isinstance(value, str) else str(value)
            event[key] = "\n".join(map(self._cleaner.line, text.splitlines())) if key == "exception" else self._cleaner.line(text)
        return event


def _trace_id() -> str | None:
    # Only who has switched traces on has imported the library.
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return None
    context = trace.get_current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else None


def _json(event: Event, **options: Any) -> str:
    return orjson.dumps(event, option=orjson.OPT_NON_STR_KEYS, default=str).decode()


def _indent(logger: Any, method: str, event: Event) -> Event:
    """Let no line of a traceback look like one of the log."""
    with suppress(KeyError):
        event["exception"] = "\n".join(_INDENT + line for line in event["exception"].splitlines())
    return event
