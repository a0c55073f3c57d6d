"""SQL about who may use the service and what they did: keys, users, sign-ins, the audit log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import CursorResult, Table, delete, func, or_, select, update

from hybrid_ml_scheduler.storage.repositories import Repository
from hybrid_ml_scheduler.storage.schema import AccessRevisionRow, ApiKeyRow, AuditRow, Base, SessionRow, SigningKeyRow, UserRow

_ONLY_ROW = 1
MAX_PAGE = 1_000
"""Most rows of the audit log in one page."""


@dataclass(frozen=True, slots=True)
class AccessTables:
    """Everything that a process needs to know to tell callers apart, as of one moment.

    Attributes
    ----------
    revision : int
        Ascends with every change.
    keys : tuple of ApiKeyRow
    users : tuple of UserRow
    signing_keys : tuple of SigningKeyRow
        Newest first.
    ended_sessions : tuple of str
        Identifiers of those that ended lately.
    """

    revision: int
    keys: tuple[ApiKeyRow, ...]
    users: tuple[UserRow, ...]
    signing_keys: tuple[SigningKeyRow, ...]
    ended_sessions: tuple[str, ...]


class AccessRepository(Repository):
    """The tables of keys, users, signing keys and sign-ins."""

    async def revision(self) -> int:
        """Return how often anything has changed."""
        return int(await self.session.scalar(select(AccessRevisionRow.revision).where(AccessRevisionRow.id == _ONLY_ROW)) or 0)

    async def _changed(self) -> None:
        await self.session.execute(update(AccessRevisionRow).where(AccessRevisionRow.id == _ONLY_ROW).values(revision=AccessRevisionRow.revision + 1))

    async def all(self, ended_since: datetime) -> AccessTables:
        """Return everything; of the sign-ins those that ended since a moment."""
        # The revision first: a change between the two statements is then seen once too often, never missed.
        revision = await self.revision()
        return AccessTables(
            revision,
            await self.keys(),
            await self.users(),
            tuple((await self.session.scalars(select(SigningKeyRow).order_by(SigningKeyRow.created_at.desc(), SigningKeyRow.id))).all()),
            tuple((await self.session.scalars(select(SessionRow.id).where(SessionRow.ended_at >= ended_since))).all()),
        )

    async def keys(self) -> tuple[ApiKeyRow, ...]:
        """Return all API keys, revoked ones included, oldest first."""
        return tuple((await self.session.scalars(select(ApiKeyRow).order_by(ApiKeyRow.created_at, ApiKeyRow.id))).all())

    async def users(self) -> tuple[UserRow, ...]:
        """Return all users, revoked ones included, by name."""
        return tuple((await self.session.scalars(select(UserRow).order_by(UserRow.name))).all())

    async def add_key(self, row: ApiKeyRow) -> None:
        """Insert an API key."""
        self.session.add(row)
        await self.session.flush()
        await self._changed()

    async def revoke_key(self, key_id: str) -> bool:
        """Revoke an API key, and whoever signed in with it; return whether there is such a key that was not revoked yet."""
        return await self._revoke(update(ApiKeyRow).where(ApiKeyRow.id == key_id, ApiKeyRow.revoked_at.is_(None)), f"key:{key_id}")

    async def revoke_user(self, name: str) -> bool:
        """Revoke a user, and their sign-ins; return whether there is such a user that was not revoked yet."""
        return await self._revoke(update(UserRow).where(UserRow.name == name, UserRow.revoked_at.is_(None)), f"user:{name}")

    async def _revoke(self, statement: Any, subject: str) -> bool:
        now = datetime.now(UTC)
        done = await self.session.execute(statement.values(revoked_at=now))
        if not (isinstance(done, CursorResult) and done.rowcount == 1):
            return False
        await self._end_sessions(subject, now)
        await self._changed()
        return True

    async def _end_sessions(self, subject: str, now: datetime) -> None:
        await self.session.execute(update(SessionRow).where(SessionRow.subject == subject, SessionRow.ended_at.is_(None)).values(ended_at=now))

    async def save_user(self, name: str, password_hash: str, scopes: Sequence[str]) -> None:
        """Insert a user, or give one a new password and new scopes: all their sign-ins end."""
        now = datetime.now(UTC)
        row = {"name": name, "password_hash": password_hash, "scopes": list(scopes), "created_at": now, "revoked_at": None}
        await self.upsert(_table(UserRow), [row], keep=("created_at",))
        await self._end_sessions(f"user:{name}", now)
        await self._changed()

    async def add_signing_key(self, row: SigningKeyRow, *, forget_before: datetime | None) -> None:
        """Insert a signing key, and forget those that were made before a moment; all others if it is None."""
        old = delete(SigningKeyRow) if forget_before is None else delete(SigningKeyRow).where(SigningKeyRow.created_at < forget_before)
        await self.session.execute(old)
        self.session.add(row)
        await self.session.flush()
        await self._changed()

    async def add_session(self, row: SessionRow, *, forget_before: datetime) -> None:
        """Insert a sign-in, and forget those that were over before a moment."""
        over = or_(SessionRow.expires_at < forget_before, SessionRow.ended_at < forget_before)
        await self.session.execute(delete(SessionRow).where(over))
        self.session.add(row)
        await self.session.flush()

    async def session_for_change(self, session_id: str) -> SessionRow | None:
        """Return a sign-in, and keep others from changing it until the transaction ends."""
        found: SessionRow | None = await self.session.scalar(select(SessionRow).where(SessionRow.id == session_id).with_for_update())
        return found

    async def end_session(self, row: SessionRow) -> None:
        """End a sign-in."""
        row.ended_at = datetime.now(UTC)
        await self.session.flush()
        await self._changed()


class AuditRepository(Repository):
    """The audit log: rows are added and read, never changed."""

    async def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert entries; those that are there already stay as they are."""
        if rows:
            await self.session.execute(self.dialect.insert(_table(AuditRow)).values([dict(row) for row in rows]).on_conflict_do_nothing())

    async def newest(self, limit: int, before: int | None = None) -> list[AuditRow]:
        """Return entries, newest first; ``before``: only those with smaller numbers."""
        query = select(AuditRow).order_by(AuditRow.id.desc(), AuditRow.process.desc()).limit(min(limit, MAX_PAGE))
        if before is not None:
            query = query.where(AuditRow.id < before)
        return list((await self.session.scalars(query)).all())

    async def count(self) -> int:
        """Return the number of entries."""
        return int(await self.session.scalar(select(func.count()).select_from(AuditRow)) or 0)


def _table(row: type[Base]) -> Table:
    return Base.metadata.tables[row.__tablename__]
