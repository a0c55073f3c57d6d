"""Who is known: keys, users and signing keys in memory, as the database has them, in every process within about a second.

The database is asked for one number, and for the rest only if that has changed. While it is away what is in memory counts; a copy in the data folder
lets keys work after a restart, too.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from hybrid_ml_scheduler.core.errors import CredentialError, SchemaError, SettingsError, StorageError
from hybrid_ml_scheduler.core.tasks import end_task
from hybrid_ml_scheduler.service.guarding_settings import SecuritySettings, is_exposed
from hybrid_ml_scheduler.service.security import keys
from hybrid_ml_scheduler.service.security.principal import ANYONE, Principal
from hybrid_ml_scheduler.service.security.scopes import expand
from hybrid_ml_scheduler.storage.access import AccessRepository, AccessTables
from hybrid_ml_scheduler.storage.database import Database
from hybrid_ml_scheduler.storage.schema import SigningKeyRow

_LOG = logging.getLogger(__name__)

COPY = "access.json"
"""File in the data folder that holds what is in memory, readable for its owner only."""
_LOOK_EVERY_S = 0.4
_COPY_VERSION = 1
_SIGNING_KEY_BYTES = 32
_SIGNING_SETTLE_S = 5.0
"""A new signing key is used once every process has had the time to see it."""


@dataclass(frozen=True, slots=True)
class _Key:
    principal: Principal
    sha256: str
    revoked: bool


@dataclass(frozen=True, slots=True)
class _User:
    principal: Principal
    password_hash: str
    revoked: bool


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key that signs tokens.

    Attributes
    ----------
    id : str
    secret : bytes
    created_s : float
        Unix time.
    """

    id: str
    secret: bytes
    created_s: float


@dataclass(frozen=True, slots=True)
class _Known:
    """Everything in memory, replaced as a whole."""

    revision: int = -1
    keys: dict[str, _Key] = field(default_factory=dict)
    users: dict[str, _User] = field(default_factory=dict)
    signing_keys: tuple[SigningKey, ...] = ()
    ended_sessions: frozenset[str] = frozenset()

    @classmethod
    def of(cls, tables: AccessTables) -> _Known:
        def until(moment: datetime | None) -> float | None:
            return None if moment is None else moment.timestamp()

        return cls(
            tables.revision,
            {
                row.id: _Key(
                    Principal(f"key:{row.id}", row.name, expand(row.scopes), None, until(row.expires_at)), row.sha256, row.revoked_at is not None
                )
                for row in tables.keys
            },
            {
                row.name: _User(Principal(f"user:{row.name}", row.name, expand(row.scopes)), row.password_hash, row.revoked_at is not None)
                for row in tables.users
            },
            tuple(SigningKey(row.id, row.secret, row.created_at.timestamp()) for row in tables.signing_keys),
            frozenset(tables.ended_sessions),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able values."""
        return {
            "version": _COPY_VERSION,
            "revision": self.revision,
            "keys": [
                {"id": key_id, "name": each.principal.name, "scopes": sorted(each.principal.scopes), "sha256": each.sha256,
                 "expires_s": each.principal.expires_s, "revoked": each.revoked}
                for key_id, each in self.keys.items()
            ],
            "users": [
                {"name": name, "scopes": sorted(each.principal.scopes), "password_hash": each.password_hash, "revoked": each.revoked}
                for name, each in self.users.items()
            ],
            "signing_keys": [{"id": each.id, "secret": each.secret.hex(), "created_s": each.created_s} for each in self.signing_keys],
            "ended_sessions": sorted(self.ended_sessions),
        }  # fmt: skip

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> _Known:
        """Return what `to_dict` has written."""
        return cls(
            int(values["revision"]),
            {
                each["id"]: _Key(
                    Principal(f"key:{each['id']}", each["name"], expand(each["scopes"]), None, each["expires_s"]), each["sha256"], each["revoked"]
                )
                for each in values["keys"]
            },
            {
                each["name"]: _User(Principal(f"user:{each['name']}", each["name"], expand(each["scopes"])), each["password_hash"], each["revoked"])
                for each in values["users"]
            },
            tuple(SigningKey(each["id"], bytes.fromhex(each["secret"]), each["created_s"]) for each in values["signing_keys"]),
            frozenset(values["ended_sessions"]),
        )


class Access:
    """Tells callers apart.

    Parameters
    ----------
    settings : SecuritySettings
    host : str
        Address that the service listens on.
    folder : Path
        The data folder.
    insecure : bool
        Whether somebody has typed that it may be open on an address that others can reach.
    """

    def __init__(self, settings: SecuritySettings, host: str, folder: Path, *, insecure: bool = False) -> None:
        self.settings = settings
        self.insecure = insecure
        self.exposed = is_exposed(settings, host)
        self.changed = asyncio.Event()
        """Set, and replaced by another, whenever what is known has changed."""
        self._copy = folder / COPY
        self._known = _Known()
        self._asked_s = 0.0
        self._looking = asyncio.Lock()
        self._database: Database | None = None

    # What is known.

    @property
    def has_credentials(self) -> bool:
        """Whether there has ever been a key or a user: from then on the service is never open again, even if all have been revoked."""
        return bool(self._known.keys or self._known.users)

    @property
    def usable_credentials(self) -> bool:
        """Whether anybody could get in with a key or a password now."""
        keys_, users = self._known.keys.values(), self._known.users.values()
        now_s = time.time()
        return any(not each.revoked and (each.principal.expires_s or now_s + 1) > now_s for each in keys_) or any(not each.revoked for each in users)

    @property
    def open(self) -> bool:
        """Whether everybody who reaches the service may do everything."""
        return not self.has_credentials and self.settings.auth == "auto" and (self.insecure or not self.exposed)

    @property
    def mode(self) -> str:
        """``keys``, ``open`` (this machine only) or ``insecure`` (open to others)."""
        if not self.open:
            return "keys"
        return "insecure" if self.exposed else "open"

    @property
    def limited(self) -> bool:
        """Whether rates are limited."""
        return self.settings.limits == "on" or (self.settings.limits == "auto" and not self.open)

    def key(self, key: str) -> Principal:
        """Return whose key this is.

        Raises
        ------
        CredentialError
        """
        found = self._known.keys.get(keys.id_of(key) or "")
        # Compared in any case: how long it takes shall not tell which identifiers there are.
        right = keys.same(key, found.sha256 if found is not None else "")
        if found is None or not right:
            raise CredentialError("this key is not known here; expected one that hms keys create has shown")
        return _good(found.principal, found.revoked, "key")

    def subject(self, subject: str, session: str) -> Principal:
        """Return who signed in.

        Raises
        ------
        CredentialError
            If the sign-in has ended, or its key or user is revoked.
        """
        if session in self._known.ended_sessions:
            raise CredentialError("this sign-in has ended; expected a new one")
        kind, _, name = subject.partition(":")
        found: _Key | _User | None = self._known.keys.get(name) if kind == "key" else self._known.users.get(name)
        if found is None:
            raise CredentialError("this sign-in is not known here; expected a new one")
        return _good(found.principal, found.revoked, kind)

    def password_hash(self, name: str) -> str | None:
        """Return the hash of a user's password; None if there is no such user."""
        found = self._known.users.get(name)
        return None if found is None or found.revoked else found.password_hash

    def verifying_key(self, key_id: str) -> SigningKey | None:
        """Return a signing key by its identifier."""
        return next((each for each in self._known.signing_keys if each.id == key_id), None)

    def signing_key(self) -> SigningKey | None:
        """Return the key to sign with: the newest one that all processes have had the time to see."""
        settled_s = time.time() - _SIGNING_SETTLE_S
        return next((each for each in self._known.signing_keys if each.created_s <= settled_s), next(iter(self._known.signing_keys), None))

    def still_good(self, principal: Principal) -> bool:
        """Whether somebody who was let in may stay."""
        if principal is ANYONE:
            return self.open
        if principal.expires_s is not None and principal.expires_s <= time.time():
            return False
        try:
            return self.subject(principal.subject, principal.session or "").scopes >= principal.scopes
        except CredentialError:
            return False

    @staticmethod
    def left_s(principal: Principal) -> float | None:
        """Return how long credentials are good from now on; None: for ever."""
        return None if principal.expires_s is None else max(0.0, principal.expires_s - time.time())

    # Keeping up with the database.

    @asynccontextmanager
    async def following(self, database: Database) -> AsyncIterator[None]:
        """Keep up with the database until the block ends."""
        self._database = database
        self._load_copy()
        try:
            await self.refresh()
        except StorageError as error:
            # A database that is quite new knows nobody, and there is nothing wrong with that.
            if not isinstance(error, SchemaError) or await database.revision() is not None:
                _LOG.warning("the database cannot say who is known, so what the data folder holds counts: %s", error)
        task = asyncio.create_task(self._follow())
        try:
            yield
        finally:
            await end_task(task)
            self._database = None

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            try:
                await self.refresh()
            except StorageError:
                # What is in memory counts; the state of the database is reported elsewhere.
                continue
            except Exception:  # noqa: BLE001 - written to the log, and tried again
                _LOG.exception("what is known about keys could not be brought up to date")

    async def refresh(self, *, force: bool = False) -> None:
        """Look whether anything has changed, and take it over.

        Raises
        ------
        StorageError
            If the database does not say; what was known stays.
        """
        if self._database is None:
            return
        # One after the other: what was read earlier must not take the place of what was read later, as if the first key had not been made.
        async with self._looking:
            self._asked_s = time.monotonic()
            await self._replace_signing_key()
            async with self._database.read() as session:
                repository = AccessRepository(session, self._database.dialect)
                if not force and await repository.revision() == self._known.revision:
                    return
                tables = await repository.all(datetime.now(UTC) - timedelta(seconds=self.settings.token_ttl_s + 60))
            self._take(_Known.of(tables))
            await asyncio.to_thread(self._save_copy)

    async def refresh_if_stale(self) -> None:
        """As `refresh`, at most as often as the database is asked anyway: something is not known that another process may have made just now."""
        if self._looking.locked():
            async with self._looking:
                return  # what somebody else has found out just now will do
        if time.monotonic() - self._asked_s >= _LOOK_EVERY_S / 2:
            await self.refresh()

    def _take(self, known: _Known) -> None:
        self._known = known
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()

    async def _replace_signing_key(self) -> None:
        """Make a signing key where there is none, or none that is young enough; tokens of the one before stay good for as long as they last."""
        if self._database is None or self._known.revision < 0 or not self.has_credentials:
            return
        newest = next(iter(self._known.signing_keys), None)
        age_max_s = self.settings.signing_key_days * 86_400
        if newest is None or time.time() - newest.created_s > age_max_s:
            forget_before = datetime.now(UTC) - timedelta(seconds=age_max_s + self.settings.token_ttl_s + 60)
            async with self._database.write() as session:
                await AccessRepository(session, self._database.dialect).add_signing_key(new_signing_key(), forget_before=forget_before)

    def _load_copy(self) -> None:
        try:
            values = orjson.loads(self._copy.read_bytes())
            if values["version"] == _COPY_VERSION:
                self._take(_Known.from_dict(values))
        except FileNotFoundError:
            return
        except (OSError, orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise SettingsError(
                "HMS_DATA_DIR", f"holds a file {COPY} that cannot be read ({type(error).__name__})", "one that this program wrote, or none"
            ) from error

    def _save_copy(self) -> None:
        if not self.has_credentials and not self._copy.exists():
            return  # nothing that would have to be remembered
        try:
            handle, name = tempfile.mkstemp(prefix=f".{COPY}-", dir=self._copy.parent)  # readable for its owner only
            with os.fdopen(handle, "wb") as file:
                file.write(orjson.dumps(self._known.to_dict()))
            Path(name).replace(self._copy)
        except OSError as error:
            _LOG.warning("who is known could not be written to the data folder: %s", error)

    # Changes.

    async def create_key(self, name: str, scopes: Sequence[str], days: float | None = None) -> tuple[str, Any]:
        """Make an API key; return it, and its row.

        Raises
        ------
        InputError, StorageError
        """
        database = self.database
        key, row = keys.new_key(name, scopes, days)
        async with database.write() as session:
            await AccessRepository(session, database.dialect).add_key(row)
        await self.refresh(force=True)
        return key, row

    async def revoke_key(self, key_id: str) -> bool:
        """Revoke an API key; return whether there was one."""
        database = self.database
        async with database.write() as session:
            found = await AccessRepository(session, database.dialect).revoke_key(key_id)
        await self.refresh(force=True)
        return found

    @property
    def database(self) -> Database:
        """The database that is followed."""
        if self._database is None:  # pragma: no cover - the lifespan opens it before anything is served
            raise StorageError("keys cannot be changed before the service has started; expected it to be running")
        return self._database

    def refuse_if_open_to_others(self) -> None:
        """Refuse to begin where everybody who reaches this address could do everything.

        Raises
        ------
        SettingsError
        """
        if self.exposed and not self.insecure and not self.usable_credentials:
            raise SettingsError(
                "HMS_HOST",
                "others than this machine can reach the service (its address, HMS_ALLOWED_HOSTS, HMS_TRUSTED_PROXIES or HMS_ROOT_PATH), and there is "
                "no key",
                "a key first (hms keys create --scope admin), or --insecure to let everybody in",
            )


def new_signing_key() -> SigningKeyRow:
    """Return a new key that signs tokens."""
    return SigningKeyRow(id=secrets.token_hex(6), secret=secrets.token_bytes(_SIGNING_KEY_BYTES), created_at=datetime.now(UTC))


def _good(principal: Principal, revoked: bool, kind: str) -> Principal:
    if revoked:
        raise CredentialError(f"this {kind} has been revoked; expected another one")
    if principal.expires_s is not None and principal.expires_s <= time.time():
        raise CredentialError(f"this {kind} has expired; expected another one")
    return principal
