"""Settings of the storage: environment variables ``HMS_...`` and the file ``.env``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, PrivateAttr, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from hybrid_ml_scheduler.core.errors import InputError, SettingsError
from hybrid_ml_scheduler.core.folders import data_folder

PREFIX = "HMS_"

DATABASE_FILE = "hms.sqlite3"
JOURNAL_FOLDER = "journal"

_DRIVERS = {
    "postgresql": "postgresql+asyncpg",
    "postgres": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
}
_DATABASE_FORM = "postgresql+asyncpg://USER:PASSWORD@HOST/DATABASE or sqlite+aiosqlite:///PATH"
_REDIS_FORM = "redis://HOST:PORT/NUMBER"


class Fsync(StrEnum):
    """When the journal is forced from the system's memory to the disk. It matters only if the machine loses power, not if the program dies."""

    ALWAYS = "always"
    """Before a write is acknowledged."""
    INTERVAL = "interval"
    """At most ``HMS_JOURNAL_FSYNC_INTERVAL_S`` later."""
    NEVER = "never"
    """When the system likes."""


def _none_if_empty(value: Any) -> Any:
    return None if value == "" else value


OptionalSecret = Annotated[SecretStr | None, BeforeValidator(_none_if_empty)]
OptionalPath = Annotated[Path | None, BeforeValidator(_none_if_empty)]


class StorageSettings(BaseSettings):
    """What the storage can be told. Every field is the environment variable ``HMS_<NAME>``; the environment comes before ``.env``.

    Addresses are secrets: they may hold a password, and are never shown.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True)

    data_dir: OptionalPath = Field(None, description="Folder for the embedded database, the journal and models.")
    database_url: OptionalSecret = Field(None, description=f"Database: {_DATABASE_FORM}. Empty: SQLite in the data folder.")
    redis_url: OptionalSecret = Field(
        None, description=f"Cache, messages and leader's place of several processes: {_REDIS_FORM}. Empty: in this process."
    )

    pool_size: int = Field(5, ge=1, le=1_000, description="Database connections for reading that are kept open.")
    pool_overflow: int = Field(5, ge=0, le=1_000, description="Further ones at busy times.")
    pool_timeout_s: float = Field(2.0, gt=0, le=600, description="How long to wait for a connection while all are in use, in seconds.")
    connect_timeout_s: float = Field(5.0, gt=0, le=600, description="How long to wait for the database when connecting, in seconds.")
    statement_timeout_s: float = Field(30.0, gt=0, le=86_400, description="Longest statement, in seconds.")

    drain_batch_rows: int = Field(20_000, ge=1, le=1_000_000, description="Most rows of a stream in one transaction from journal to database.")
    drain_interval_s: float = Field(0.25, gt=0, le=60, description="How often to look for new rows in the journal, in seconds.")
    drain_retry_max_s: float = Field(5.0, gt=0, le=600, description="Longest pause between two tries while the database is away, in seconds.")
    lag_target_s: float = Field(5.0, gt=0, le=3_600, description="A run is held back when the journal is ahead by more than drains in this time.")

    journal_fsync: Fsync = Field(Fsync.INTERVAL, description="When the journal is forced to the disk: always, interval or never.")
    journal_fsync_interval_s: float = Field(1.0, gt=0, le=3_600, description="Longest time between two such moments with interval, in seconds.")
    journal_segment_mb: float = Field(64.0, ge=0.001, le=10_000, description="Size at which a new file of the journal is begun, in MB.")

    retention_days: float = Field(0.0, ge=0, le=36_500, description="Rows older than this are deleted, journal and database together; 0: never.")
    retention_gb: float = Field(0.0, ge=0, le=1e6, description="Oldest rows are deleted while the journal is larger than this, in GB; 0: no limit.")

    metrics_window_s: float = Field(60.0, gt=0, le=1e9, description="Length of the windows of the table metrics, in simulated seconds.")

    cache_ttl_s: float = Field(2.0, gt=0, le=86_400, description="How long a cached answer may be used, in seconds.")
    redis_timeout_s: float = Field(0.5, gt=0, le=60, description="How long to wait for Redis, in seconds.")
    redis_retry_s: float = Field(1.0, gt=0, le=600, description="How often to look whether a lost Redis is back, in seconds.")
    leader_lease_s: float = Field(10.0, gt=0.1, le=600, description="How long a leader that says nothing keeps its place, in seconds.")

    _url: URL = PrivateAttr()

    @field_validator("redis_url")
    @classmethod
    def _redis_form(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(("redis://", "rediss://", "unix://")):
            raise ValueError(f"is no address of a Redis server; expected {_REDIS_FORM}")
        return value

    @field_validator("database_url")
    @classmethod
    def _database_form(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            _database_url(value.get_secret_value())
        return value

    def model_post_init(self, context: Any, /) -> None:
        """Settle where the database is."""
        if self.database_url is not None:
            self._url = _database_url(self.database_url.get_secret_value())
        else:
            self._url = URL.create("sqlite+aiosqlite", database=str(self.folder / DATABASE_FILE))

    @property
    def folder(self) -> Path:
        """The data folder.

        Raises
        ------
        SettingsError
            If none is set and there is no home folder to put it into.
        """
        found = self.data_dir or data_folder()
        if found is None:
            raise SettingsError(f"{PREFIX}DATA_DIR", "is not set, and there is no HOME to keep data in", "the name of a folder")
        return found

    @property
    def journal_folder(self) -> Path:
        """Where the journal is."""
        return self.folder / JOURNAL_FOLDER

    @property
    def url(self) -> URL:
        """The database's address, with its driver; its ``str`` hides the password."""
        return self._url

    @classmethod
    def load(cls, **given: Any) -> Self:
        """Read the settings.

        Parameters
        ----------
        **given
            Values that come before environment and ``.env``.

        Raises
        ------
        SettingsError
            If one makes no sense; one line that begins with its name. The value itself is not repeated: it could be a secret.
        """
        try:
            return cls(**given)
        except ValidationError as error:
            raise _as_settings_error(error) from None
        except UnicodeDecodeError as error:
            raise InputError(f".env: not UTF-8 text ({error.reason} at byte {error.start}); expected lines NAME=VALUE") from None


def _as_settings_error(error: ValidationError) -> SettingsError:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    name = "_".join(str(part) for part in first["loc"] if isinstance(part, str))
    message = str(first["msg"]).removeprefix("Value error, ")
    problem, _, expected = message.partition("; expected ")
    if expected:
        return SettingsError(f"{PREFIX}{name.upper()}", problem, expected)
    return SettingsError(
        f"{PREFIX}{name.upper()}", "has no usable value", problem.removeprefix("Input should be ").removeprefix("Input should have ")
    )


def _database_url(text: str) -> URL:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ValueError(f"is no database address; expected {_DATABASE_FORM}") from None
    driver = _DRIVERS.get(url.drivername)
    if driver is None:
        raise ValueError(f"names the driver {url.drivername!r}; expected {_DATABASE_FORM}")
    if not url.database or url.database == ":memory:":
        raise ValueError(f"names no database that outlives this process; expected {_DATABASE_FORM}")
    return url.set(drivername=driver)
